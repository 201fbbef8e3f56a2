# doc: the manual page and the shells' completions.
dist_man1_MANS += doc/hotdev.1
bashcompletiondir = $(datadir)/bash-completion/completions
zshcompletiondir = $(datadir)/zsh/site-functions
dist_zshcompletion_DATA = doc/_hotdev
EXTRA_DIST += doc/hotdev.bash

# The file's name must be the command's for bash to find it.
install-data-local:
	$(MKDIR_P) '$(DESTDIR)$(bashcompletiondir)'
	$(INSTALL_DATA) '$(srcdir)/doc/hotdev.bash' '$(DESTDIR)$(bashcompletiondir)/hotdev'

uninstall-local:
	rm -f '$(DESTDIR)$(bashcompletiondir)/hotdev'
