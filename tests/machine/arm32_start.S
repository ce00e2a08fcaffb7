/* arm32_start.S - the program for ARMv7-A: start, exceptions, and the accesses that may raise them. */
    .arch armv7-a
    .arm
    .text
    .globl _start
_start:
    cpsid aif
    ldr sp, =0x40280000
    ldr r0, =arm32_vectors
    mcr p15, 0, r0, c12, c0, 0          @ VBAR
    bl arm32_main
1:  b 1b

    .balign 32
arm32_vectors:
    b .
    b arm32_undefined
    b arm32_returned                    @ svc: user mode comes back
    b arm32_prefetch
    b arm32_data
    b .
    b .
    b .

arm32_prefetch:
    mrc p15, 0, r0, c5, c0, 1           @ IFSR
    mrc p15, 0, r1, c6, c0, 2           @ IFAR
    b arm32_fault
arm32_data:
    mrc p15, 0, r0, c5, c0, 0           @ DFSR
    mrc p15, 0, r1, c6, c0, 0           @ DFAR
    b arm32_fault
arm32_undefined:
    ldr r0, =0xfffff
    mov r1, lr
arm32_fault:
    cps #0x13
    ldr r2, =arm32_told_fault
    str r0, [r2]
    str r1, [r2, #4]
arm32_returned:
    ldr r2, =arm32_stack
    ldr sp, [r2]
    pop {r4-r11, pc}

/* uint32_t arm32_access(kind, va, value): kinds 0 load, 1 store, 2 fetch, and the same as user mode 4, 5, 6. What goes
 * wrong is left in arm32_told_fault, and then it returns as well. */
    .globl arm32_access
arm32_access:
    push {r4-r11, lr}
    ldr r4, =arm32_stack
    str sp, [r4]
    adr r4, arm32_ways
    ldr pc, [r4, r0, lsl #2]
    .balign 4
arm32_ways:
    .word 1f, 2f, 3f, 3f, 4f, 5f, 6f
1:  ldr r0, [r1]
    pop {r4-r11, pc}
2:  str r2, [r1]
    mov r0, #0
    pop {r4-r11, pc}
3:  blx r1
    pop {r4-r11, pc}
4:  ldrt r0, [r1]
    pop {r4-r11, pc}
5:  strt r2, [r1]
    mov r0, #0
    pop {r4-r11, pc}
6:  cps #0x1f
    ldr lr, =0x40300000
    cps #0x13
    mov r4, #0x1d0                      @ user mode, interrupts off
    msr spsr_cxsf, r4
    movs pc, r1

    .data
    .balign 8
arm32_stack:
    .word 0
    .globl arm32_told_fault
arm32_told_fault:
    .word 0, 0
