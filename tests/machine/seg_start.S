/* seg_start.S - from the multiboot loader to seg_main(), and the program's way through the load of a segment register
 * and back. Assembled for 32 bits, in protected mode without paging, and for 64, in long mode. Linked by x86.ld. */
#ifdef __x86_64__
#define AX %rax
#define BX %rbx
#define CX %rcx
#define DX %rdx
#define SP %rsp
#define BP %rbp
#define WORD 8
#define IRET iretq
#define LRET lretq
#else
#define AX %eax
#define BX %ebx
#define CX %ecx
#define DX %edx
#define SP %esp
#define BP %ebp
#define WORD 4
#define IRET iret
#define LRET lret
#endif

    .section .multiboot, "a"
    .balign 4
    .long 0x1badb002, 0, -0x1badb002

    .text
    .code32
    .globl x86_start
x86_start:
    cli
    cld
    mov $seg_stack_top, %esp
    lgdt seg_gdt_pointer
#ifdef __x86_64__
    movl $seg_pdpt + 7, seg_pml4
    movl $seg_pd + 7, seg_pdpt
    xor %ecx, %ecx
    mov $0x87, %eax                     /* 2 MiB pages of the first 1 GiB, as they are, for every ring */
1:  mov %eax, seg_pd(,%ecx,8)
    add $0x200000, %eax
    inc %ecx
    cmp $512, %ecx
    jb 1b
    mov $0x20, %eax                     /* CR4.PAE */
    mov %eax, %cr4
    mov $seg_pml4, %eax
    mov %eax, %cr3
    mov $0xc0000080, %ecx
    mov $0x100, %eax                    /* EFER.LME */
    xor %edx, %edx
    wrmsr
    mov $0x80010001, %eax
    mov %eax, %cr0
    ljmp $0x08, $2f
    .code64
#else
    mov %cr0, %eax
    or $0x10001, %eax
    mov %eax, %cr0
    ljmp $0x08, $2f
#endif
2:  mov $0x40 + 3, %eax                 /* data of ring 3, which every ring may use */
    mov %eax, %ds
    mov %eax, %es
    mov $0x10, %eax
    mov %eax, %ss
    call seg_main
3:  hlt
    jmp 3b

/* One entry a vector, 16 bytes each. Those with an error code of the processor's own: 8, 10 to 14, 17. */
    .balign 16
    .globl seg_vectors
seg_vectors:
    vector = 0
    .rept 256
    .balign 16
    .if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17)
    push $0
    .endif
    push $vector
    jmp seg_trap
    vector = vector + 1
    .endr

/* Any data register may hold anything now. */
    .balign 16
seg_trap:
    mov $0x43, %ebx
    mov %ebx, %ds
    mov %es, %ecx
    mov CX, seg_trapped_es
    mov %ebx, %es
    pop AX
    mov AX, seg_trapped_vector
    pop AX
    mov AX, seg_trapped_code
    pop AX
    pop AX
    mov AX, seg_trapped_cs
    mov $0x10, %ebx
    mov %ebx, %ss
    mov seg_resume, SP
    xor %ebx, %ebx
    mov %ebx, %fs
    mov %ebx, %gs
    popf
    pop BP
    pop BX
#ifndef __x86_64__
    pop %edi
    pop %esi
#endif
    ret

/* void seg_go(void): ES = seg_es, then jumps to seg_target in the ring seg_ring. Every way back is a trap. */
    .globl seg_go
seg_go:
#ifndef __x86_64__
    push %esi
    push %edi
#endif
    push BX
    push BP
    pushf
    mov SP, seg_resume
    mov seg_es, CX
    mov %ecx, %es
    mov seg_selector, AX
    mov seg_stack, DX
#ifdef __x86_64__
    mov seg_offset, %rsi
    mov seg_offset, %rbp
#else
    mov seg_offset, %esi
#endif
    mov seg_ring, CX
    test CX, CX
    jz 1f
    shl $4, CX                          /* the ring's selectors: code 8 + 16 * ring, data 8 more */
    add seg_ring, CX
    add $0x10, CX
    push CX
    push $seg_outer_stack_top
    pushf
    sub $8, CX
    push CX
    push seg_target
    IRET
1:  jmp *seg_target

/* The loads, 32 bytes each: DS, ES, SS, FS, GS, far jump, far return, far return with the selectors exchanged. */
    .balign 32
    .globl seg_loads
seg_loads:
    mov %eax, %ds
    int $0x80
    .balign 32
    mov %eax, %es
    int $0x80
    .balign 32
    mov %eax, %ss
    int $0x80
    .balign 32
    mov %eax, %fs
    int $0x80
    .balign 32
    mov %eax, %gs
    int $0x80
    .balign 32
    ljmpl *seg_pointer
    .balign 32
    mov SP, CX
    push DX
    push CX
    push AX
    push $seg_landed
    LRET
    .balign 32
    mov SP, CX
    push AX
    push CX
    push DX
    push $seg_landed
    LRET
    .balign 32
seg_landed:
    int $0x80

/* Accesses, 32 bytes each, through FS and then through SS: reads of 1, 2, 4 bytes and room for 8, writes of 1, 2, 4
 * and 8. */
    .macro ACCESSES segment
    .balign 32
    mov %eax, \segment
    movb \segment:(%esi), %al
    int $0x80
    .balign 32
    mov %eax, \segment
    movw \segment:(%esi), %ax
    int $0x80
    .balign 32
    mov %eax, \segment
    movl \segment:(%esi), %eax
    int $0x80
    .balign 32
    int $0x80
    .balign 32
    mov %eax, \segment
    movb %al, \segment:(%esi)
    int $0x80
    .balign 32
    mov %eax, \segment
    movw %ax, \segment:(%esi)
    int $0x80
    .balign 32
    mov %eax, \segment
    movl %eax, \segment:(%esi)
    int $0x80
    .balign 32
    mov %eax, \segment
    cmpxchg8b \segment:(%esi)
    int $0x80
    .endm
    .balign 32
    .globl seg_accesses
seg_accesses:
    ACCESSES %fs
    ACCESSES %ss

#ifdef __x86_64__
/* Of 64-bit mode, 16 bytes each: through DS, SS, FS and GS; reads and writes of 1, 2, 4, 8. */
    .macro LONG_ACCESSES operand:vararg
    .balign 16
    movb \operand, %al
    int $0x80
    .balign 16
    movw \operand, %ax
    int $0x80
    .balign 16
    movl \operand, %eax
    int $0x80
    .balign 16
    movq \operand, %rax
    int $0x80
    .balign 16
    movb %al, \operand
    int $0x80
    .balign 16
    movw %ax, \operand
    int $0x80
    .balign 16
    movl %eax, \operand
    int $0x80
    .balign 16
    movq %rax, \operand
    int $0x80
    .endm
    .balign 16
    .globl seg_long_accesses
seg_long_accesses:
    LONG_ACCESSES (%rsi)
    LONG_ACCESSES (%rbp)
    LONG_ACCESSES %fs:(%rsi)
    LONG_ACCESSES %gs:(%rsi)
#endif

/* Code and data of each ring, flat; task state; local table; the descriptor that is loaded; one beyond the table. */
    .data
    .balign 8
    .globl seg_gdt
seg_gdt:
    .quad 0
    ring = 0
    .rept 4
#ifdef __x86_64__
    .quad 0x00af9b000000ffff + (ring << 45)
#else
    .quad 0x00cf9b000000ffff + (ring << 45)
#endif
    .quad 0x00cf93000000ffff + (ring << 45)
    ring = ring + 1
    .endr
    .quad 0, 0, 0, 0, 0, 0
    .globl seg_gdt_pointer
seg_gdt_pointer:
    .word 13 * 8 + 7
    .long seg_gdt
    .long 0
    .balign 4
    .globl seg_pointer
seg_pointer:
    .long seg_landed
    .word 0

    .macro VARIABLE name
    .balign WORD
    .globl \name
\name:
    .skip WORD
    .endm
    .bss
    VARIABLE seg_selector
    VARIABLE seg_stack
    VARIABLE seg_ring
    VARIABLE seg_es
    VARIABLE seg_target
    VARIABLE seg_offset
    VARIABLE seg_resume
    VARIABLE seg_trapped_vector
    VARIABLE seg_trapped_code
    VARIABLE seg_trapped_cs
    VARIABLE seg_trapped_es
    .balign 4096
    .skip 4096
seg_outer_stack_top:
    .skip 8192
    .globl seg_stack_top
seg_stack_top:
    .skip 4096
    .globl seg_trap_stack_top
seg_trap_stack_top:
#ifdef __x86_64__
seg_pml4: .skip 4096
seg_pdpt: .skip 4096
seg_pd: .skip 4096
#endif

    .section .note.GNU-stack, "", @progbits
