/* arm64_start.S - start, exception vectors and probes of arm64_guest.c. All addresses are relative to PC: the program
 * runs at its physical addresses and, when TTBR0 is under test, the same distance into the upper half. */

    .section .start, "ax"
    .globl arm64_reset
arm64_reset:
    mrs x0, CurrentEL
    lsr x0, x0, #2
    cmp x0, #2
    b.eq 2f
    b.lo 1f
    mov x1, #0x5b1              /* SCR_EL3: NS, RES1, HCE, SMD, RW: AArch64 below, not secure */
    msr scr_el3, x1
    mov x1, #0x80000000         /* HCR_EL2.RW; nothing without EL2 */
    msr hcr_el2, x1
    mov x1, #0x3c5              /* EL1h, all masked */
    msr spsr_el3, x1
    adr x1, 1f
    msr elr_el3, x1
    eret
2:  mov x1, #0x80000000
    msr hcr_el2, x1
    mov x1, #0x33ff
    msr cptr_el2, x1
    mov x1, #0x3c5              /* EL1h, all masked */
    msr spsr_el2, x1
    adr x1, 1f
    msr elr_el2, x1
    eret
1:  msr spsel, #1
    adrp x1, arm64_stack_top
    add x1, x1, :lo12:arm64_stack_top
    mov sp, x1
    bl arm64_main
    b .

    .text
/* Every exception is the end of a probe. */
    .balign 2048
    .globl arm64_vectors
arm64_vectors:
    .rept 16
    .balign 128
    mrs x9, esr_el1
    mrs x10, far_el1
    b arm64_probed
    .endr

/* void arm64_probe(arm64_probe_t *p): goes to p->pc with p->spsr, x1 = p->va, x2 = p->value and x5 = p->desired, until
 * an exception or one of the slots below comes back; leaves p->value, p->esr (0: done) and p->far. */
    .balign 128
    .globl arm64_probe
arm64_probe:
    stp x29, x30, [sp, #-32]!
    str x0, [sp, #16]
    ldp x1, x2, [x0]
    ldp x3, x4, [x0, #16]
    ldr x5, [x0, #48]
    msr elr_el1, x3
    msr spsr_el1, x4
    eret
arm64_done:
    mov x9, #0
    mov x10, #0
arm64_probed:
    ldr x0, [sp, #16]
    str x2, [x0, #8]
    stp x9, x10, [x0, #32]
    ldp x29, x30, [sp], #32
    ret

/* One instruction each, 8 bytes apart: by enum arm64_kind and width, then AT by EL and access. */
    .macro slot instruction:vararg
    \instruction
    b arm64_done
    .endm
    .globl arm64_slots
arm64_slots:
    slot ldrb w2, [x1]
    slot ldrh w2, [x1]
    slot ldr w2, [x1]
    slot ldr x2, [x1]
    slot strb w2, [x1]
    slot strh w2, [x1]
    slot str w2, [x1]
    slot str x2, [x1]
    slot ldtrb w2, [x1]
    slot ldtrh w2, [x1]
    slot ldtr w2, [x1]
    slot ldtr x2, [x1]
    slot sttrb w2, [x1]
    slot sttrh w2, [x1]
    slot sttr w2, [x1]
    slot sttr x2, [x1]
    .globl arm64_swap_slots
arm64_swap_slots:
    slot casb w2, w5, [x1]
    slot cash w2, w5, [x1]
    slot cas w2, w5, [x1]
    slot cas x2, x5, [x1]
    .globl arm64_at_slots
arm64_at_slots:
    slot at s1e1r, x1
    slot at s1e1w, x1
    slot at s1e0r, x1
    slot at s1e0w, x1

/* void arm64_call_high(void (*f)(unsigned), unsigned x, uint64_t high): calls f(x) with PC and SP `high` above where
 * they are. f leaves both halves mapped as it found them. */
    .globl arm64_call_high
arm64_call_high:
    stp x29, x30, [sp, #-32]!
    str x19, [sp, #16]
    mov x19, x2
    mov x9, sp
    add x9, x9, x19
    mov sp, x9
    add x10, x0, x19
    adr x11, 1f
    add x11, x11, x19
    mov x0, x1
    br x11
1:  blr x10
    adr x11, 2f
    sub x11, x11, x19
    br x11
2:  mov x9, sp
    sub x9, x9, x19
    mov sp, x9
    ldr x19, [sp, #16]
    ldp x29, x30, [sp], #32
    ret

/* EL0's own loads and stores, in a page that EL0 may execute. */
    .section .user, "ax"
    .macro user instruction:vararg
    \instruction
    svc #0
    .endm
    .globl arm64_user_slots
arm64_user_slots:
    user ldrb w2, [x1]
    user ldrh w2, [x1]
    user ldr w2, [x1]
    user ldr x2, [x1]
    user strb w2, [x1]
    user strh w2, [x1]
    user str w2, [x1]
    user str x2, [x1]
