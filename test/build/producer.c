/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A program built without a compilation database: what its debug information
 * says must be enough to build the same code again. */
#include "config.h"

#include "test/build/support.h"

#include "reloader/build/process.h"

#include <elfutils/libdw.h>
#include <fcntl.h>
#include <gelf.h>
#include <dwarf.h>
#include <string.h>
#include <unistd.h>

/* Runs a command line in project/directory as a user would. */
static void
shell(fixture *f, const char *directory, const char *line)
{
	char *argv[] = {(char *)"sh", (char *)"-c", (char *)line, NULL};
	char **environment = g_get_environ();
	hd_process_spec spec = {argv, environment, path_of(f, directory), false};
	int status = -1;
	GString *output = hd_process_run(&spec, 60000, &status, NULL);
	assert_non_null(output);
	if (status != 0)
		print_error("%s: %s\n", line, output->str);
	assert_int_equal(status, 0);
	g_string_free(output, TRUE);
	g_strfreev(environment);
}

static const char *
text_attribute(Dwarf_Die *die, unsigned name)
{
	Dwarf_Attribute attribute;
	return dwarf_formstring(dwarf_attr(die, name, &attribute));
}

/* The command for the first unit of an ELF file with debug information. */
static hd_command *
command_from(const char *path)
{
	int fd = open(path, O_RDONLY);
	Dwarf *dwarf = dwarf_begin(fd, DWARF_C_READ);
	Dwarf_CU *unit = NULL;
	Dwarf_Die die;
	Dwarf_Files *files;
	size_t count;
	assert_non_null(dwarf);
	assert_int_equal(dwarf_get_units(dwarf, unit, &unit, NULL, NULL, &die, NULL), 0);
	assert_int_equal(dwarf_getsrcfiles(&die, &files, &count), 0);
	hd_command_hints hints = {.source = text_attribute(&die, DW_AT_name),
				  .directory = text_attribute(&die, DW_AT_comp_dir),
				  .producer = text_attribute(&die, DW_AT_producer),
				  .include_directories = g_ptr_array_new(),
				  .files = g_ptr_array_new()};
	for (size_t i = 0; i < count; i++)
		g_ptr_array_add(hints.files, (char *)dwarf_filesrc(files, i, NULL, NULL));
	const char *const *folders;
	size_t folder_count;
	assert_int_equal(dwarf_getsrcdirs(files, &folders, &folder_count), 0);
	for (size_t i = 0; i < folder_count; i++)
		if (folders[i])
			g_ptr_array_add(hints.include_directories, (char *)folders[i]);
	GError *error = NULL;
	hd_command *command = hd_command_find(NULL, &hints, &error);
	if (!command)
		print_error("%s\n", error->message);
	assert_non_null(command);
	assert_int_equal(command->origin, HD_COMMAND_DEBUG_INFO);
	g_ptr_array_unref(hints.files);
	g_ptr_array_unref(hints.include_directories);
	dwarf_end(dwarf);
	close(fd);
	return command;
}

/* The contents of the sections of code and constants, one after the other. */
static GByteArray *
code_of(const hd_build_result *result)
{
	gsize size;
	char *bytes = (char *)g_bytes_get_data(result->object, &size);
	GByteArray *code = g_byte_array_new();
	elf_version(EV_CURRENT);
	Elf *elf = elf_memory(bytes, size);
	size_t names;
	assert_non_null(elf);
	assert_int_equal(elf_getshdrstrndx(elf, &names), 0);
	for (Elf_Scn *section = NULL; (section = elf_nextscn(elf, section));) {
		GElf_Shdr header;
		gelf_getshdr(section, &header);
		const char *name = elf_strptr(elf, names, header.sh_name);
		if (header.sh_type == SHT_PROGBITS && (header.sh_flags & SHF_ALLOC) && strcmp(name, ".eh_frame") != 0)
			g_byte_array_append(code, (guint8 *)bytes + header.sh_offset, (guint)header.sh_size);
	}
	elf_end(elf);
	return code;
}

static void
check_same_code(fixture *f, hd_command *wanted, hd_command *found)
{
	hd_build_result *one = build(f, wanted, NULL, NULL), *other = build(f, found, NULL, NULL);
	assert_built(one);
	assert_built(other);
	GByteArray *a = code_of(one), *b = code_of(other);
	assert_true(a->len > 0);
	assert_int_equal(a->len, b->len);
	assert_memory_equal(a->data, b->data, a->len);
	g_byte_array_unref(a);
	g_byte_array_unref(b);
	hd_build_result_free(one);
	hd_build_result_free(other);
	hd_command_free(wanted);
	hd_command_free(found);
}

static void
one_file_and_one_command(void **state)
{
	fixture *f = *state;
	static const char *const compilers[] = {"cc", "gcc", "clang"};
	put(f, "game.c",
	    "#include <math.h>\n#include <stdio.h>\n"
	    "int main(int argc, char **argv) { (void)argv; puts(__FILE__); return (int)sin(argc); }\n");
	for (guint i = 0; i < G_N_ELEMENTS(compilers); i++) {
		char *line = g_strdup_printf("%s -g game.c -o game -lm", compilers[i]);
		shell(f, ".", line);
		hd_command *found = command_from(path_of(f, "game"));
		assert_string_equal(found->source_arg, "game.c");
		assert_string_equal(found->source, path_of(f, "game.c"));
		check_same_code(f, command_of(f, ".", "game.c", compilers[i], "-g", "game.c", NULL), found);
		g_free(line);
	}
}

static void
headers_in_many_places(void **state)
{
	fixture *f = *state;
	put(f, "src/a.c",
	    "#include <net/tcp.h>\n#include \"config.h\"\n#include \"own/b.h\"\n#include \"limits/only_macros.h\"\n"
	    "int f(int n) { return tcp(n) + own(n) + CONFIG + LIMIT; }\nconst char *g(void) { return __FILE__; }\n");
	put(f, "lib/include/net/tcp.h", "#include \"udp.h\"\nstatic inline int tcp(int n) { return n * UDP; }\n");
	put(f, "lib/include/net/udp.h", "#define UDP 3\n");
	put(f, "src/own/b.h", "static inline int own(int n) { return n + 1; }\n");
	put(f, "include/limits/only_macros.h", "#define LIMIT 9\n");
	put(f, "build/config.h", "#define CONFIG 5\n");
	static const char link[] = "cc -nostdlib -Wl,-e,f a.o -o a";
	static const char *const levels[] = {"-O0", "-O2 -fPIC -std=c11 -fno-omit-frame-pointer", "-O3 -march=native"};
	for (guint i = 0; i < G_N_ELEMENTS(levels); i++) {
		char *line = g_strdup_printf("gcc -g %s -I. -I../lib/include -I../include -c ../src/a.c", levels[i]);
		shell(f, "build", line);
		shell(f, "build", link);
		char **words = NULL;
		g_shell_parse_argv(line, NULL, &words, NULL);
		hd_command *wanted = command_of(f, "build", "src/a.c", "gcc", NULL);
		g_strfreev(wanted->argv);
		wanted->argv = words;
		check_same_code(f, wanted, command_from(path_of(f, "build/a")));
		g_free(line);
	}
	shell(f, "build",
	      "clang -g -grecord-command-line -O2 '-DX=a b' -I. -I../lib/include -I../include -c ../src/a.c");
	shell(f, "build", link);
	hd_command *wanted = command_of(f, "build", "src/a.c", "clang", "-g", "-O2", "-I.", "-I../lib/include",
					"-I../include", "../src/a.c", NULL);
	check_same_code(f, wanted, command_from(path_of(f, "build/a")));
}

/* A header that only includes others is no file of the line table; what it includes is. */
static void
headers_that_only_include_others(void **state)
{
	fixture *f = *state;
	put(f, "src/a.c",
	    "#include <all.h>\n#include <glib.h>\n"
	    "gint64 f(GList *l, gint64 n) { return part(n) + g_list_length(l); }\n");
	put(f, "vendor/all/1.0/headers/all.h", "#include <all/part.h>\n");
	put(f, "vendor/all/1.0/headers/all/part.h", "static inline long part(long n) { return n + 1; }\n");
	shell(f, "src", "gcc -g -I../vendor/all/1.0/headers $(pkg-config --cflags glib-2.0) -c a.c");
	shell(f, "src", "cc -nostdlib -Wl,-e,f a.o -o a -lglib-2.0");
	char *flags = NULL, **words = NULL;
	assert_true(g_spawn_command_line_sync("pkg-config --cflags glib-2.0", &flags, NULL, NULL, NULL));
	char *command = g_strdup_printf("gcc -g -I../vendor/all/1.0/headers %s -c a.c", flags);
	g_shell_parse_argv(command, NULL, &words, NULL);
	hd_command *wanted = command_of(f, "src", "a.c", "gcc", NULL);
	g_strfreev(wanted->argv);
	wanted->argv = words;
	check_same_code(f, wanted, command_from(path_of(f, "src/a")));
	g_free(command);
	g_free(flags);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_file_and_one_command, setup, teardown),
		cmocka_unit_test_setup_teardown(headers_in_many_places, setup, teardown),
		cmocka_unit_test_setup_teardown(headers_that_only_include_others, setup, teardown),
	};
	return cmocka_run_group_tests_name("producer", tests, NULL, NULL);
}
