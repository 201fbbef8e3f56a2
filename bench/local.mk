# bench
include bench/watcher.mk
include bench/target.mk
include bench/reload.mk
