# test: what the whole command does, seen from outside. Folders with unit tests have fragments of their own.
include test/arch/local.mk
include test/build/local.mk
include test/e2e/local.mk
include test/image/local.mk
include test/object/local.mk
include test/target/local.mk
include test/instant/local.mk
include test/types/local.mk
include test/view/local.mk
include test/watcher/local.mk
