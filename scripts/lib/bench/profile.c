// SPDX-License-Identifier: GPL-2.0-only
/*
 * A plugin for QEMU (interface version 2, QEMU 9 and later): counts the instructions that ran at each address
 * of the guest's kernel.
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
struct qemu_plugin_scoreboard;

struct counter {
	struct qemu_plugin_scoreboard *scoreboard;
	size_t offset;
};

struct qemu_plugin_scoreboard *qemu_plugin_scoreboard_new(size_t size);
uint64_t qemu_plugin_u64_sum(struct counter counter);
void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id,
					   void (*callback)(plugin_id, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(struct qemu_plugin_tb *tb, int op,
						       struct counter counter, uint64_t add);
void qemu_plugin_register_atexit_cb(plugin_id id, void (*callback)(plugin_id, void *), void *data);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);

__attribute__((visibility("default"))) int qemu_plugin_version = 2;

#define OP_ADD	     0
#define KERNEL_START 0xffff800000000000ULL
#define BLOCKS_MAX   (1U << 20)

/* Blocks of code, each with a counter of its own: one that is translated again gets another. */
static uint64_t addresses[BLOCKS_MAX];
static unsigned int blocks;
static struct qemu_plugin_scoreboard *counters;
static char *out;

static struct counter counter_of(unsigned int block)
{
	return (struct counter){counters, block * sizeof(uint64_t)};
}

static void translated(plugin_id id, struct qemu_plugin_tb *tb)
{
	(void)id;
	if (qemu_plugin_tb_vaddr(tb) < KERNEL_START)
		return;
	if (blocks == BLOCKS_MAX)
		abort();
	addresses[blocks] = qemu_plugin_tb_vaddr(tb);
	qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(tb, OP_ADD, counter_of(blocks),
							  qemu_plugin_tb_n_insns(tb));
	blocks++;
}

static void ended(plugin_id id, void *data)
{
	FILE *file = fopen(out, "w");

	(void)id;
	(void)data;
	if (!file)
		abort();
	for (unsigned int block = 0; block < blocks; block++) {
		unsigned long long instructions = qemu_plugin_u64_sum(counter_of(block));

		if (instructions)
			fprintf(file, "%llx %llu\n", (unsigned long long)addresses[block], instructions);
	}
	if (fclose(file))
		abort();
}

__attribute__((visibility("default"))) int qemu_plugin_install(plugin_id id, const void *info, int argc,
							       char **argv)
{
	(void)info;
	for (int i = 0; i < argc; i++)
		if (!strncmp(argv[i], "out=", 4))
			out = strdup(argv[i] + 4);
	if (!out)
		return -1;
	counters = qemu_plugin_scoreboard_new(BLOCKS_MAX * sizeof(uint64_t));
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_atexit_cb(id, ended, NULL);
	return 0;
}
