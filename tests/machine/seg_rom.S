/* seg_rom.S - the last 4 KiB of a ROM of 64 KiB for Bochs, which needs no BIOS then: from reset to START in protected
 * mode, with the first 60 KiB of the ROM copied to 1 MiB. */
    .section .rom, "ax"
    .code16
1:  cli
    lgdtl %cs:0xf080                    /* CS is at 0xffff0000 since reset */
    mov %cr0, %eax
    or $1, %eax
    mov %eax, %cr0
    ljmpl $0x08, $2f
    .code32
2:  mov $0x10, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov $0xffff0000, %esi
    mov $0x100000, %edi
    mov $0xf000 / 4, %ecx
    cld
    rep movsl
    mov $START, %eax
    jmp *%eax
    .org 0x80
    .word 23
    .long 3f
    .balign 8
3:  .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
    .org 0xff0                          /* reset */
    .code16
    jmp 1b
    .org 0x1000

    .section .note.GNU-stack, "", @progbits
