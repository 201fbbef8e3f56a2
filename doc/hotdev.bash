# SPDX-License-Identifier: GPL-2.0-or-later
# bash completion for hotdev

_hotdev()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} first=${COMP_WORDS[1]}
	local commands="status modules pins errors diff reload undo redo migrate purge pause resume restart events wait quit"
	COMPREPLY=()
	case $prev in
	--compiler) COMPREPLY=($(compgen -W "auto tcc cc" -- "$cur")); return ;;
	--on-refuse) COMPREPLY=($(compgen -W "hold restart" -- "$cur")); return ;;
	--on-disagree) COMPREPLY=($(compgen -W "keep undo" -- "$cur")); return ;;
	--events | --compdb | --socket | --replay | -s) COMPREPLY=($(compgen -f -- "$cur")); return ;;
	--project) COMPREPLY=($(compgen -d -- "$cur")); return ;;
	--keep | --settle | --patience | --prefix | --timeout) return ;;
	esac
	if [ "$first" = ctl ] && [ "$COMP_CWORD" -gt 1 ]; then
		case $prev in
		wait) COMPREPLY=($(compgen -W "live idle --timeout" -- "$cur")); return ;;
		quit) COMPREPLY=($(compgen -W "end leave" -- "$cur")); return ;;
		status | modules | pins | errors) COMPREPLY=($(compgen -W "--json" -- "$cur")); return ;;
		diff | reload | undo | redo | purge) COMPREPLY=($(compgen -f -X '!*.[ch]' -- "$cur")); return ;;
		esac
		COMPREPLY=($(compgen -W "$commands -s" -- "$cur"))
		return
	fi
	if [ "$first" = demo ] && [[ $cur != -* ]]; then
		COMPREPLY=($(compgen -d -- "$cur"))
		return
	fi
	if [ "$first" = doctor ] && [ "$COMP_CWORD" -gt 1 ]; then
		COMPREPLY=($(compgen -W "--json --quick --compiler --compdb --project" -- "$cur") $(compgen -f -- "$cur"))
		return
	fi
	case $cur in
	-*)
		COMPREPLY=($(compgen -W "--plain --events --compiler --compdb --project --on-refuse
			--on-disagree --keep --settle --patience --typed-heap --socket --ascii --mono
			--no-mouse --bell --notify --prefix --replay --help --version" -- "$cur"))
		return
		;;
	esac
	COMPREPLY=($(compgen -f -- "$cur"))
	[ "$COMP_CWORD" = 1 ] && COMPREPLY+=($(compgen -W "ctl demo doctor" -- "$cur"))
}
complete -o filenames -F _hotdev hotdev
