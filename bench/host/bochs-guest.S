/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A firmware that copies rectangles from a guest's memory into a frame buffer,
 * as Linux's bochs driver does, whenever the benchmark asks for one.
 *
 * It is linked at 0xf0000, and 64 KiB long. What it is asked for is at 0x1000,
 * in words of 32 bits: number of the request (all ones: stop for good), source,
 * target, words a row, rows, bytes from a row to the next; and the answer, the
 * number of the last request that is done.
 */
    .code32
    .globl _start
_start:
    mov $16, %ax
    mov %ax, %ds
    mov %ax, %es
    mov %ax, %ss
    cld
    mov $0x1000, %ebp
    xor %eax, %eax
wait:
    pause
    cmp %eax, %ds:(%ebp)
    je wait
    mov %ds:(%ebp), %eax
    cmp $-1, %eax
    je stop
    mov %ds:16(%ebp), %edx
    mov %ds:4(%ebp), %ebx
    mov %ds:8(%ebp), %esp
row:
    mov %ebx, %esi
    mov %esp, %edi
    mov %ds:12(%ebp), %ecx
    rep movsl
    add %ds:20(%ebp), %ebx
    add %ds:20(%ebp), %esp
    dec %edx
    jnz row
    mov %eax, %ds:24(%ebp)
    jmp wait
stop:
    mov %eax, %ds:24(%ebp)
    cli
    hlt
    jmp stop

    .balign 8
table:
    .quad 0
    .quad 0x00cf9a000000ffff
    .quad 0x00cf92000000ffff
table_at:
    .word 23
    .long table

    .code16
real:
    cli
    lgdtl %cs:table_at - _start
    mov %cr0, %eax
    or $1, %al
    mov %eax, %cr0
    ljmpl $8, $_start

    .org 0xfff0
    .byte 0xea
    .word real - _start
    .word 0xf000
    .org 0x10000
