# test/arch: what the linker knows of the processor.
if HAVE_CMOCKA
ARCH_TESTS = test/arch/x86_64.t test/arch/link.t
check_PROGRAMS += $(ARCH_TESTS)
TESTS += $(ARCH_TESTS)
ARCH_TEST_LIBS = reloader/link/liblink.a reloader/object/libobject.a $(LIBRARIES_BASE) $(ELF_LIBS) $(XXHASH_LIBS) \
	$(CAPSTONE_LIBS) $(CMOCKA_LIBS)
ARCH_TEST_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
test_arch_x86_64_t_SOURCES = test/arch/x86_64.c
test_arch_x86_64_t_CPPFLAGS = $(ARCH_TEST_CPPFLAGS)
test_arch_x86_64_t_LDADD = $(ARCH_TEST_LIBS)
test_arch_link_t_SOURCES = test/arch/link.c test/object/compile.c
test_arch_link_t_CPPFLAGS = $(ARCH_TEST_CPPFLAGS)
# the linked copy finds sqrt in this program
test_arch_link_t_LDFLAGS = $(AM_LDFLAGS) -Wl,--no-as-needed
test_arch_link_t_LDADD = $(ARCH_TEST_LIBS) -lm
endif
