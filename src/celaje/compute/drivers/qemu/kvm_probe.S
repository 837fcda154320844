/*
 * The guest of the KVM probe, a 512-byte boot sector. probe.py holds it assembled (BOOT_SECTOR); rebuild with
 *   gcc -c -m32 -o probe.o kvm_probe.S
 *   ld -m elf_i386 -Ttext 0x7c00 --oformat binary -o probe.bin probe.o
 *
 * It goes to long mode, counts for a moment, does one cmpxchg16b and leaves through isa-debug-exit (QEMU then ends
 * with code 33). Some hosts offer a /dev/kvm that opens well and then emulates every instruction of the guest, or
 * fails at such ones: a sector that is through within two seconds tells that KVM runs guests.
 */
        .code16
        .globl  _start
_start: cli
        xorw    %ax, %ax
        movw    %ax, %ds
        lgdt    table_register
        movl    %cr0, %eax
        orb     $1, %al                 /* protected mode */
        movl    %eax, %cr0
        ljmp    $8, $protected

        .code32
protected:
        movw    $16, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movl    $0x7000, %esp
        movl    $0x1000, %edi           /* three empty page tables at 0x1000 */
        xorl    %eax, %eax
        movl    $3072, %ecx
        rep stosl
        movl    $0x2003, 0x1000
        movl    $0x3003, 0x2000
        movl    $0x83, 0x3000           /* one page of 2 MiB, mapped to itself */
        movl    $0x1000, %eax
        movl    %eax, %cr3
        movl    %cr4, %eax
        orl     $0x620, %eax            /* PAE, OSFXSR, OSXMMEXCPT */
        movl    %eax, %cr4
        movl    $0xC0000080, %ecx       /* EFER: long mode */
        rdmsr
        orl     $0x100, %eax
        wrmsr
        movl    %cr0, %eax
        andl    $0xfffffffb, %eax
        orl     $0x80000002, %eax       /* paging */
        movl    %eax, %cr0
        ljmp    $24, $long

        .code64
long:   movl    $20000000, %ecx
count:  addq    %rcx, %rax
        xorq    %rax, %rdx
        decl    %ecx
        jnz     count
        movl    $0x5000, %edi
        lock cmpxchg16b (%rdi)
        movw    $0xf4, %dx
        movb    $0x10, %al              /* exit code (0x10 << 1) | 1 = 33 */
        outb    %al, %dx
stop:   hlt
        jmp     stop

        .p2align 3
table:  .quad   0, 0x00cf9a000000ffff, 0x00cf92000000ffff, 0x00af9a000000ffff
table_register:
        .word   table_register - table - 1
        .long   table
        .org    510
        .word   0xaa55
