# test/image
if HAVE_CMOCKA
image_tests = test/image/image-test
check_PROGRAMS += $(image_tests)
TESTS += $(image_tests)
endif

test_image_image_test_SOURCES = test/image/image-test.c $(TEST_COMPILE)
test_image_image_test_LDADD = reloader/image/libimage.a $(TEST_TYPES_LINK)
test_image_image_test_CPPFLAGS = $(TEST_TYPES_CPPFLAGS)
