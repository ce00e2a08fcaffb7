/* x86_start.S - from the multiboot loader to x86_main(mode), with mode the last character of the command line; the
 * program's way through an access and back. Assembled for 32 bits and for 64. */
#ifdef __x86_64__
#define AX %rax
#define CX %rcx
#define DX %rdx
#define SI %rsi
#define SP %rsp
#define WORD 8
#define IRET iretq
#else
#define AX %eax
#define CX %ecx
#define DX %edx
#define SI %esi
#define SP %esp
#define WORD 4
#define IRET iret
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
    mov $x86_stack_top, %esp
    mov 16(%ebx), %esi
1:  lodsb
    test %al, %al
    jz 2f
    movzbl %al, %edi
    jmp 1b
2:  sub $'0', %edi
    lgdt x86_gdt_pointer
#ifdef __x86_64__
    movl $x86_first_pml4 + 3, x86_first_pml5
    movl $x86_first_pdpt + 3, x86_first_pml4
    movl $x86_first_pd + 3, x86_first_pdpt
    xor %ecx, %ecx
    mov $0x83, %eax                     /* 2 MiB pages of the first 1 GiB, as they are */
3:  mov %eax, x86_first_pd(,%ecx,8)
    add $0x200000, %eax
    inc %ecx
    cmp $512, %ecx
    jb 3b
    mov $x86_first_pml4, %eax
    mov $0x20, %edx                     /* CR4.PAE */
    cmp $4, %edi
    jne 4f
    mov $x86_first_pml5, %eax
    or $0x1000, %edx                    /* CR4.LA57 */
4:  mov %edx, %cr4
    mov %eax, %cr3
    mov $0xc0000080, %ecx
    mov $0x100, %eax                    /* EFER.LME */
    xor %edx, %edx
    wrmsr
    mov $0x80010001, %eax
    mov %eax, %cr0
    ljmp $0x08, $5f
    .code64
5:  mov $0x40 + 3, %eax
    mov %eax, %ds
    mov %eax, %es
    mov $0x10, %eax
    mov %eax, %ss
    call x86_main
#else
    mov %cr0, %eax
    or $0x10001, %eax
    mov %eax, %cr0
    ljmp $0x08, $5f
5:  mov $0x40 + 3, %eax                 /* data of ring 3, which every ring may use */
    mov %eax, %ds
    mov %eax, %es
    mov $0x10, %eax
    mov %eax, %ss
    push %edi
    call x86_main
#endif
6:  hlt
    jmp 6b

/* One entry a vector, 16 bytes each, so that vector n enters at x86_vectors + 16 * n. Those with an error code of the
 * processor's own: 8, 10 to 14, 17, 21. */
    .balign 16
    .globl x86_vectors
x86_vectors:
    vector = 0
    .rept 256
    .balign 16
    .if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21)
    push $0
    .endif
    push $vector
    jmp x86_trap
    vector = vector + 1
    .endr

    .balign 16
x86_trap:
    mov AX, x86_trapped_value
    pop AX
    mov AX, x86_trapped_vector
    pop AX
    mov AX, x86_trapped_code
    mov %cr2, AX
    mov AX, x86_trapped_address
    mov x86_resume, SP
    popf
#ifdef __x86_64__
    pop %rbp
    pop %rbx
#else
    pop %ebp
    pop %ebx
    pop %edi
    pop %esi
#endif
    ret

    .macro SAVE
#ifdef __x86_64__
    push %rbx
    push %rbp
#else
    push %esi
    push %edi
    push %ebx
    push %ebp
#endif
    pushf
    mov SP, x86_resume
    .endm

/* void x86_go(void): jumps to x86_target in the ring of x86_ring, with the flags and registers asked for. Every way
 * back is a trap. */
    .globl x86_go
x86_go:
    SAVE
    mov x86_address, SI
    mov x86_datum, DX
    mov x86_accumulator, AX
    mov x86_ring, CX
    test CX, CX
    jz 1f
    shl $4, CX                          /* the ring's selectors: code 8 + 16 * ring, data 8 more */
    add x86_ring, CX
    add $0x10, CX
    push CX
    push $0x1000
    push x86_flags
    sub $8, CX
    push CX
    push x86_target
    IRET
1:  push x86_flags
    popf
    jmp *x86_target

/* void x86_load_cr3(void): CR3 = x86_datum; vector 0x80, or what the processor says. */
    .globl x86_load_cr3
x86_load_cr3:
    SAVE
    mov x86_datum, AX
    mov AX, %cr3
    int $0x80

/* The accesses, 16 bytes each: reads and writes of 1, 2, 4, 8 bytes, the exchange, the descriptor. */
    .macro ACCESSES
    .balign 16
    movb (SI), %al
    int $0x80
    .balign 16
    movw (SI), %ax
    int $0x80
    .balign 16
    movl (SI), %eax
    int $0x80
    .balign 16
    mov (SI), AX
    int $0x80
    .balign 16
    movb %dl, (SI)
    int $0x80
    .balign 16
    movw %dx, (SI)
    int $0x80
    .balign 16
    movl %edx, (SI)
    int $0x80
    .balign 16
    mov DX, (SI)
    int $0x80
    .balign 16
    lock cmpxchgl %edx, (SI)
    int $0x80
    .balign 16
    lar %edx, %ecx
    int $0x80
    .balign 16
    .endm

    .globl x86_accesses
    .balign 16
x86_accesses:
    ACCESSES

    .section .user, "ax"
    .globl x86_user_accesses
    .balign 16
x86_user_accesses:
    ACCESSES

/* Code and data of each ring, flat; then room for a task state and a local descriptor table. */
    .data
    .balign 8
    .globl x86_gdt
x86_gdt:
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
    .quad 0, 0, 0, 0
x86_gdt_pointer:
    .word x86_gdt_pointer - x86_gdt - 1
    .long x86_gdt
    .long 0

    .macro VARIABLE name
    .balign WORD
    .globl \name
\name:
    .skip WORD
    .endm
    .bss
    VARIABLE x86_address
    VARIABLE x86_datum
    VARIABLE x86_accumulator
    VARIABLE x86_ring
    VARIABLE x86_flags
    VARIABLE x86_target
    VARIABLE x86_resume
    VARIABLE x86_trapped_value
    VARIABLE x86_trapped_vector
    VARIABLE x86_trapped_code
    VARIABLE x86_trapped_address
    .balign 4096
    .skip 16384
    .globl x86_stack_top
x86_stack_top:
    .skip 4096
    .globl x86_trap_stack_top
x86_trap_stack_top:
#ifdef __x86_64__
x86_first_pml5: .skip 4096
x86_first_pml4: .skip 4096
x86_first_pdpt: .skip 4096
x86_first_pd: .skip 4096
#endif

    .section .note.GNU-stack, "", @progbits
