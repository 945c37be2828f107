// SPDX-License-Identifier: GPL-2.0-only
/*
 * A plugin for QEMU (interface version 1): counts the instructions that ran at each address of the guest's kernel.
 *
 * At the end it writes one line per block of code to the file that `out=` names: address in hex, instructions
 * executed. Declares what it uses of the interface, as Debian ships no header for it.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t plugin_id;
struct qemu_plugin_tb;

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, void (*callback)(plugin_id, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb, int op, void *counter, uint64_t add);
void qemu_plugin_register_atexit_cb(plugin_id id, void (*callback)(plugin_id, void *), void *data);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

#define OP_ADD	     0
#define KERNEL_START 0xffff800000000000ULL

/* A block of code: translated again it gets another one, so that no table has to be searched. */
struct block {
	uint64_t address;
	uint64_t instructions;
	struct block *next;
};

static struct block *blocks;
static char *out;

static void translated(plugin_id id, struct qemu_plugin_tb *tb)
{
	struct block *block;

	(void)id;
	if (qemu_plugin_tb_vaddr(tb) < KERNEL_START)
		return;
	block = calloc(1, sizeof(*block));
	if (!block)
		abort();
	block->address = qemu_plugin_tb_vaddr(tb);
	block->next = blocks;
	blocks = block;
	qemu_plugin_register_vcpu_tb_exec_inline(tb, OP_ADD, &block->instructions, qemu_plugin_tb_n_insns(tb));
}

static void ended(plugin_id id, void *data)
{
	FILE *file = fopen(out, "w");

	(void)id;
	(void)data;
	if (!file)
		abort();
	for (struct block *block = blocks; block; block = block->next)
		if (block->instructions)
			fprintf(file, "%llx %llu\n", (unsigned long long)block->address,
				(unsigned long long)block->instructions);
	if (fclose(file))
		abort();
}

__attribute__((visibility("default"))) int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
	(void)info;
	for (int i = 0; i < argc; i++)
		if (!strncmp(argv[i], "out=", 4))
			out = strdup(argv[i] + 4);
	if (!out)
		return -1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_atexit_cb(id, ended, NULL);
	return 0;
}
