/* start.S - how a program begins, how a trap comes to C and back, and calls into lower modes.
 *
 * _start sets up stack, BSS and the machine's trap vector, opens physical memory to all modes, and calls main(); what
 * main() returns is how the program ends. machine_trap and supervisor_trap save all registers into a frame_t (rv64.h)
 * and call trap(). mscratch and sscratch hold the stack for a trap from a lower mode, 0 while the mode itself runs. */
    .section .start, "ax"
    .globl _start
_start:
    .option push
    .option norelax
    la gp, __global_pointer$
    .option pop
    la sp, stack_top
    la t0, bss_start
    la t1, bss_end
1:  bgeu t0, t1, 2f
    sd zero, 0(t0)
    addi t0, t0, 8
    j 1b
2:  la t0, machine_trap
    csrw mtvec, t0
    csrw mscratch, zero
    li t0, -1
    csrw pmpaddr0, t0
    li t0, 0x1f             /* all addresses; read, write, execute */
    csrw pmpcfg0, t0
    call main
    call finish
3:  j 3b

    .macro registers what
    .irp n, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    \what x\n, 8*\n(sp)
    .endr
    .endm

    .macro vector name, scratch, epc, cause, tval, mode, back
    .text
    .align 2
    .globl \name
\name:
    csrrw sp, \scratch, sp
    bnez sp, 1f
    csrr sp, \scratch       /* from this very mode: on with its stack */
    addi sp, sp, -272
    sd zero, 256(sp)
    j 2f
1:  addi sp, sp, -272
    sd x1, 8(sp)
    addi x1, sp, 272
    sd x1, 256(sp)          /* to be the scratch register's again */
    ld x1, 8(sp)
2:  sd x1, 8(sp)
    registers sd
    csrrw t0, \scratch, zero
    sd t0, 16(sp)           /* sp of what was interrupted */
    csrr t0, \epc
    sd t0, 0(sp)
    .option push
    .option norelax
    la gp, __global_pointer$
    .option pop
    mv a0, sp
    csrr a1, \cause
    csrr a2, \tval
    li a3, \mode
    call trap
    ld t0, 0(sp)
    csrw \epc, t0
    ld t0, 256(sp)
    csrw \scratch, t0
    ld x1, 8(sp)
    registers ld
    ld x2, 16(sp)
    \back
    .endm

    vector machine_trap, mscratch, mepc, mcause, mtval, 3, mret
    vector supervisor_trap, sscratch, sepc, scause, stval, 1, sret

    .macro callee_saved what
    \what s0, 0(sp)
    \what s1, 8(sp)
    \what s2, 16(sp)
    \what s3, 24(sp)
    \what s4, 32(sp)
    \what s5, 40(sp)
    \what s6, 48(sp)
    \what s7, 56(sp)
    \what s8, 64(sp)
    \what s9, 72(sp)
    \what s10, 80(sp)
    \what s11, 88(sp)
    \what ra, 96(sp)
    .endm

    /* uint64_t run_in(mode, function, argument, stack): machine mode calls a function in a lower one. Its ecall with
     * a7 = RUN_IN_BACK must end in run_in_end(frame), which has the trap return to run_in_back. */
    .globl run_in, run_in_back, run_in_sp
run_in:
    addi sp, sp, -112
    callee_saved sd
    la t0, run_in_sp
    sd sp, 0(t0)
    csrw mscratch, sp
    li t0, 0x1800
    csrc mstatus, t0
    slli a0, a0, 11
    csrs mstatus, a0
    la t0, 1f
    csrw mepc, t0
    mv t1, a1
    mv a0, a2
    mv sp, a3
    mret
1:  jalr t1
    li a7, 0x42
    ecall
run_in_back:
    callee_saved ld
    addi sp, sp, 112
    ret

    .bss
    .align 3
run_in_sp:
    .dword 0

    .section .tohost, "aw"
    .align 6
    .globl tohost, fromhost
tohost:
    .dword 0
fromhost:
    .dword 0
