_opentracker__ctl() {
    local i cur prev opts cmd
    COMPREPLY=()
    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
        cur="$2"
    else
        cur="${COMP_WORDS[COMP_CWORD]}"
    fi
    prev="$3"
    cmd=""
    opts=""

    for i in "${COMP_WORDS[@]:0:COMP_CWORD}"
    do
        case "${cmd},${i}" in
            ",$1")
                cmd="opentracker__ctl"
                ;;
            opentracker__ctl,announce)
                cmd="opentracker__ctl__subcmd__announce"
                ;;
            opentracker__ctl,block)
                cmd="opentracker__ctl__subcmd__block"
                ;;
            opentracker__ctl,blocks)
                cmd="opentracker__ctl__subcmd__blocks"
                ;;
            opentracker__ctl,check)
                cmd="opentracker__ctl__subcmd__check"
                ;;
            opentracker__ctl,cluster)
                cmd="opentracker__ctl__subcmd__cluster"
                ;;
            opentracker__ctl,completions)
                cmd="opentracker__ctl__subcmd__completions"
                ;;
            opentracker__ctl,config)
                cmd="opentracker__ctl__subcmd__config"
                ;;
            opentracker__ctl,doctor)
                cmd="opentracker__ctl__subcmd__doctor"
                ;;
            opentracker__ctl,drain)
                cmd="opentracker__ctl__subcmd__drain"
                ;;
            opentracker__ctl,events)
                cmd="opentracker__ctl__subcmd__events"
                ;;
            opentracker__ctl,help)
                cmd="opentracker__ctl__subcmd__help"
                ;;
            opentracker__ctl,limited)
                cmd="opentracker__ctl__subcmd__limited"
                ;;
            opentracker__ctl,livesync)
                cmd="opentracker__ctl__subcmd__livesync"
                ;;
            opentracker__ctl,purge)
                cmd="opentracker__ctl__subcmd__purge"
                ;;
            opentracker__ctl,reload)
                cmd="opentracker__ctl__subcmd__reload"
                ;;
            opentracker__ctl,scrape)
                cmd="opentracker__ctl__subcmd__scrape"
                ;;
            opentracker__ctl,snapshot)
                cmd="opentracker__ctl__subcmd__snapshot"
                ;;
            opentracker__ctl,status)
                cmd="opentracker__ctl__subcmd__status"
                ;;
            opentracker__ctl,top)
                cmd="opentracker__ctl__subcmd__top"
                ;;
            opentracker__ctl,torrents)
                cmd="opentracker__ctl__subcmd__torrents"
                ;;
            opentracker__ctl,trace)
                cmd="opentracker__ctl__subcmd__trace"
                ;;
            opentracker__ctl,unblock)
                cmd="opentracker__ctl__subcmd__unblock"
                ;;
            opentracker__ctl,undrain)
                cmd="opentracker__ctl__subcmd__undrain"
                ;;
            opentracker__ctl__subcmd__cluster,help)
                cmd="opentracker__ctl__subcmd__cluster__subcmd__help"
                ;;
            opentracker__ctl__subcmd__cluster,keygen)
                cmd="opentracker__ctl__subcmd__cluster__subcmd__keygen"
                ;;
            opentracker__ctl__subcmd__cluster__subcmd__help,help)
                cmd="opentracker__ctl__subcmd__cluster__subcmd__help__subcmd__help"
                ;;
            opentracker__ctl__subcmd__cluster__subcmd__help,keygen)
                cmd="opentracker__ctl__subcmd__cluster__subcmd__help__subcmd__keygen"
                ;;
            opentracker__ctl__subcmd__config,help)
                cmd="opentracker__ctl__subcmd__config__subcmd__help"
                ;;
            opentracker__ctl__subcmd__config,import)
                cmd="opentracker__ctl__subcmd__config__subcmd__import"
                ;;
            opentracker__ctl__subcmd__config,show)
                cmd="opentracker__ctl__subcmd__config__subcmd__show"
                ;;
            opentracker__ctl__subcmd__config__subcmd__help,help)
                cmd="opentracker__ctl__subcmd__config__subcmd__help__subcmd__help"
                ;;
            opentracker__ctl__subcmd__config__subcmd__help,import)
                cmd="opentracker__ctl__subcmd__config__subcmd__help__subcmd__import"
                ;;
            opentracker__ctl__subcmd__config__subcmd__help,show)
                cmd="opentracker__ctl__subcmd__config__subcmd__help__subcmd__show"
                ;;
            opentracker__ctl__subcmd__help,announce)
                cmd="opentracker__ctl__subcmd__help__subcmd__announce"
                ;;
            opentracker__ctl__subcmd__help,block)
                cmd="opentracker__ctl__subcmd__help__subcmd__block"
                ;;
            opentracker__ctl__subcmd__help,blocks)
                cmd="opentracker__ctl__subcmd__help__subcmd__blocks"
                ;;
            opentracker__ctl__subcmd__help,check)
                cmd="opentracker__ctl__subcmd__help__subcmd__check"
                ;;
            opentracker__ctl__subcmd__help,cluster)
                cmd="opentracker__ctl__subcmd__help__subcmd__cluster"
                ;;
            opentracker__ctl__subcmd__help,completions)
                cmd="opentracker__ctl__subcmd__help__subcmd__completions"
                ;;
            opentracker__ctl__subcmd__help,config)
                cmd="opentracker__ctl__subcmd__help__subcmd__config"
                ;;
            opentracker__ctl__subcmd__help,doctor)
                cmd="opentracker__ctl__subcmd__help__subcmd__doctor"
                ;;
            opentracker__ctl__subcmd__help,drain)
                cmd="opentracker__ctl__subcmd__help__subcmd__drain"
                ;;
            opentracker__ctl__subcmd__help,events)
                cmd="opentracker__ctl__subcmd__help__subcmd__events"
                ;;
            opentracker__ctl__subcmd__help,help)
                cmd="opentracker__ctl__subcmd__help__subcmd__help"
                ;;
            opentracker__ctl__subcmd__help,limited)
                cmd="opentracker__ctl__subcmd__help__subcmd__limited"
                ;;
            opentracker__ctl__subcmd__help,livesync)
                cmd="opentracker__ctl__subcmd__help__subcmd__livesync"
                ;;
            opentracker__ctl__subcmd__help,purge)
                cmd="opentracker__ctl__subcmd__help__subcmd__purge"
                ;;
            opentracker__ctl__subcmd__help,reload)
                cmd="opentracker__ctl__subcmd__help__subcmd__reload"
                ;;
            opentracker__ctl__subcmd__help,scrape)
                cmd="opentracker__ctl__subcmd__help__subcmd__scrape"
                ;;
            opentracker__ctl__subcmd__help,snapshot)
                cmd="opentracker__ctl__subcmd__help__subcmd__snapshot"
                ;;
            opentracker__ctl__subcmd__help,status)
                cmd="opentracker__ctl__subcmd__help__subcmd__status"
                ;;
            opentracker__ctl__subcmd__help,top)
                cmd="opentracker__ctl__subcmd__help__subcmd__top"
                ;;
            opentracker__ctl__subcmd__help,torrents)
                cmd="opentracker__ctl__subcmd__help__subcmd__torrents"
                ;;
            opentracker__ctl__subcmd__help,trace)
                cmd="opentracker__ctl__subcmd__help__subcmd__trace"
                ;;
            opentracker__ctl__subcmd__help,unblock)
                cmd="opentracker__ctl__subcmd__help__subcmd__unblock"
                ;;
            opentracker__ctl__subcmd__help,undrain)
                cmd="opentracker__ctl__subcmd__help__subcmd__undrain"
                ;;
            opentracker__ctl__subcmd__help__subcmd__cluster,keygen)
                cmd="opentracker__ctl__subcmd__help__subcmd__cluster__subcmd__keygen"
                ;;
            opentracker__ctl__subcmd__help__subcmd__config,import)
                cmd="opentracker__ctl__subcmd__help__subcmd__config__subcmd__import"
                ;;
            opentracker__ctl__subcmd__help__subcmd__config,show)
                cmd="opentracker__ctl__subcmd__help__subcmd__config__subcmd__show"
                ;;
            opentracker__ctl__subcmd__help__subcmd__livesync,compare)
                cmd="opentracker__ctl__subcmd__help__subcmd__livesync__subcmd__compare"
                ;;
            opentracker__ctl__subcmd__help__subcmd__livesync,dump)
                cmd="opentracker__ctl__subcmd__help__subcmd__livesync__subcmd__dump"
                ;;
            opentracker__ctl__subcmd__help__subcmd__livesync,inject)
                cmd="opentracker__ctl__subcmd__help__subcmd__livesync__subcmd__inject"
                ;;
            opentracker__ctl__subcmd__help__subcmd__livesync,nodes)
                cmd="opentracker__ctl__subcmd__help__subcmd__livesync__subcmd__nodes"
                ;;
            opentracker__ctl__subcmd__help__subcmd__livesync,status)
                cmd="opentracker__ctl__subcmd__help__subcmd__livesync__subcmd__status"
                ;;
            opentracker__ctl__subcmd__help__subcmd__livesync__subcmd__inject,beacon)
                cmd="opentracker__ctl__subcmd__help__subcmd__livesync__subcmd__inject__subcmd__beacon"
                ;;
            opentracker__ctl__subcmd__help__subcmd__livesync__subcmd__inject,file)
                cmd="opentracker__ctl__subcmd__help__subcmd__livesync__subcmd__inject__subcmd__file"
                ;;
            opentracker__ctl__subcmd__help__subcmd__livesync__subcmd__inject,hex)
                cmd="opentracker__ctl__subcmd__help__subcmd__livesync__subcmd__inject__subcmd__hex"
                ;;
            opentracker__ctl__subcmd__help__subcmd__livesync__subcmd__inject,inquire)
                cmd="opentracker__ctl__subcmd__help__subcmd__livesync__subcmd__inject__subcmd__inquire"
                ;;
            opentracker__ctl__subcmd__help__subcmd__livesync__subcmd__inject,live)
                cmd="opentracker__ctl__subcmd__help__subcmd__livesync__subcmd__inject__subcmd__live"
                ;;
            opentracker__ctl__subcmd__help__subcmd__livesync__subcmd__inject,tell)
                cmd="opentracker__ctl__subcmd__help__subcmd__livesync__subcmd__inject__subcmd__tell"
                ;;
            opentracker__ctl__subcmd__help__subcmd__snapshot,dump)
                cmd="opentracker__ctl__subcmd__help__subcmd__snapshot__subcmd__dump"
                ;;
            opentracker__ctl__subcmd__help__subcmd__snapshot,now)
                cmd="opentracker__ctl__subcmd__help__subcmd__snapshot__subcmd__now"
                ;;
            opentracker__ctl__subcmd__help__subcmd__snapshot,verify)
                cmd="opentracker__ctl__subcmd__help__subcmd__snapshot__subcmd__verify"
                ;;
            opentracker__ctl__subcmd__livesync,compare)
                cmd="opentracker__ctl__subcmd__livesync__subcmd__compare"
                ;;
            opentracker__ctl__subcmd__livesync,dump)
                cmd="opentracker__ctl__subcmd__livesync__subcmd__dump"
                ;;
            opentracker__ctl__subcmd__livesync,help)
                cmd="opentracker__ctl__subcmd__livesync__subcmd__help"
                ;;
            opentracker__ctl__subcmd__livesync,inject)
                cmd="opentracker__ctl__subcmd__livesync__subcmd__inject"
                ;;
            opentracker__ctl__subcmd__livesync,nodes)
                cmd="opentracker__ctl__subcmd__livesync__subcmd__nodes"
                ;;
            opentracker__ctl__subcmd__livesync,status)
                cmd="opentracker__ctl__subcmd__livesync__subcmd__status"
                ;;
            opentracker__ctl__subcmd__livesync__subcmd__help,compare)
                cmd="opentracker__ctl__subcmd__livesync__subcmd__help__subcmd__compare"
                ;;
            opentracker__ctl__subcmd__livesync__subcmd__help,dump)
                cmd="opentracker__ctl__subcmd__livesync__subcmd__help__subcmd__dump"
                ;;
            opentracker__ctl__subcmd__livesync__subcmd__help,help)
                cmd="opentracker__ctl__subcmd__livesync__subcmd__help__subcmd__help"
                ;;
            opentracker__ctl__subcmd__livesync__subcmd__help,inject)
                cmd="opentracker__ctl__subcmd__livesync__subcmd__help__subcmd__inject"
                ;;
            opentracker__ctl__subcmd__livesync__subcmd__help,nodes)
                cmd="opentracker__ctl__subcmd__livesync__subcmd__help__subcmd__nodes"
                ;;
            opentracker__ctl__subcmd__livesync__subcmd__help,status)
                cmd="opentracker__ctl__subcmd__livesync__subcmd__help__subcmd__status"
                ;;
            opentracker__ctl__subcmd__livesync__subcmd__help__subcmd__inject,beacon)
                cmd="opentracker__ctl__subcmd__livesync__subcmd__help__subcmd__inject__subcmd__beacon"
                ;;
            opentracker__ctl__subcmd__livesync__subcmd__help__subcmd__inject,file)
                cmd="opentracker__ctl__subcmd__livesync__subcmd__help__subcmd__inject__subcmd__file"
                ;;
            opentracker__ctl__subcmd__livesync__subcmd__help__subcmd__inject,hex)
                cmd="opentracker__ctl__subcmd__livesync__subcmd__help__subcmd__inject__subcmd__hex"
                ;;
            opentracker__ctl__subcmd__livesync__subcmd__help__subcmd__inject,inquire)
                cmd="opentracker__ctl__subcmd__livesync__subcmd__help__subcmd__inject__subcmd__inquire"
                ;;
            opentracker__ctl__subcmd__livesync__subcmd__help__subcmd__inject,live)
                cmd="opentracker__ctl__subcmd__livesync__subcmd__help__subcmd__inject__subcmd__live"
                ;;
            opentracker__ctl__subcmd__livesync__subcmd__help__subcmd__inject,tell)
                cmd="opentracker__ctl__subcmd__livesync__subcmd__help__subcmd__inject__subcmd__tell"
                ;;
            opentracker__ctl__subcmd__livesync__subcmd__inject,beacon)
                cmd="opentracker__ctl__subcmd__livesync__subcmd__inject__subcmd__beacon"
                ;;
            opentracker__ctl__subcmd__livesync__subcmd__inject,file)
                cmd="opentracker__ctl__subcmd__livesync__subcmd__inject__subcmd__file"
                ;;
            opentracker__ctl__subcmd__livesync__subcmd__inject,help)
                cmd="opentracker__ctl__subcmd__livesync__subcmd__inject__subcmd__help"
                ;;
            opentracker__ctl__subcmd__livesync__subcmd__inject,hex)
                cmd="opentracker__ctl__subcmd__livesync__subcmd__inject__subcmd__hex"
                ;;
            opentracker__ctl__subcmd__livesync__subcmd__inject,inquire)
                cmd="opentracker__ctl__subcmd__livesync__subcmd__inject__subcmd__inquire"
                ;;
            opentracker__ctl__subcmd__livesync__subcmd__inject,live)
                cmd="opentracker__ctl__subcmd__livesync__subcmd__inject__subcmd__live"
                ;;
            opentracker__ctl__subcmd__livesync__subcmd__inject,tell)
                cmd="opentracker__ctl__subcmd__livesync__subcmd__inject__subcmd__tell"
                ;;
            opentracker__ctl__subcmd__livesync__subcmd__inject__subcmd__help,beacon)
                cmd="opentracker__ctl__subcmd__livesync__subcmd__inject__subcmd__help__subcmd__beacon"
                ;;
            opentracker__ctl__subcmd__livesync__subcmd__inject__subcmd__help,file)
                cmd="opentracker__ctl__subcmd__livesync__subcmd__inject__subcmd__help__subcmd__file"
                ;;
            opentracker__ctl__subcmd__livesync__subcmd__inject__subcmd__help,help)
                cmd="opentracker__ctl__subcmd__livesync__subcmd__inject__subcmd__help__subcmd__help"
                ;;
            opentracker__ctl__subcmd__livesync__subcmd__inject__subcmd__help,hex)
                cmd="opentracker__ctl__subcmd__livesync__subcmd__inject__subcmd__help__subcmd__hex"
                ;;
            opentracker__ctl__subcmd__livesync__subcmd__inject__subcmd__help,inquire)
                cmd="opentracker__ctl__subcmd__livesync__subcmd__inject__subcmd__help__subcmd__inquire"
                ;;
            opentracker__ctl__subcmd__livesync__subcmd__inject__subcmd__help,live)
                cmd="opentracker__ctl__subcmd__livesync__subcmd__inject__subcmd__help__subcmd__live"
                ;;
            opentracker__ctl__subcmd__livesync__subcmd__inject__subcmd__help,tell)
                cmd="opentracker__ctl__subcmd__livesync__subcmd__inject__subcmd__help__subcmd__tell"
                ;;
            opentracker__ctl__subcmd__snapshot,dump)
                cmd="opentracker__ctl__subcmd__snapshot__subcmd__dump"
                ;;
            opentracker__ctl__subcmd__snapshot,help)
                cmd="opentracker__ctl__subcmd__snapshot__subcmd__help"
                ;;
            opentracker__ctl__subcmd__snapshot,now)
                cmd="opentracker__ctl__subcmd__snapshot__subcmd__now"
                ;;
            opentracker__ctl__subcmd__snapshot,verify)
                cmd="opentracker__ctl__subcmd__snapshot__subcmd__verify"
                ;;
            opentracker__ctl__subcmd__snapshot__subcmd__help,dump)
                cmd="opentracker__ctl__subcmd__snapshot__subcmd__help__subcmd__dump"
                ;;
            opentracker__ctl__subcmd__snapshot__subcmd__help,help)
                cmd="opentracker__ctl__subcmd__snapshot__subcmd__help__subcmd__help"
                ;;
            opentracker__ctl__subcmd__snapshot__subcmd__help,now)
                cmd="opentracker__ctl__subcmd__snapshot__subcmd__help__subcmd__now"
                ;;
            opentracker__ctl__subcmd__snapshot__subcmd__help,verify)
                cmd="opentracker__ctl__subcmd__snapshot__subcmd__help__subcmd__verify"
                ;;
            *)
                ;;
        esac
    done

    case "${cmd}" in
        opentracker__ctl)
            opts="-h -V --json --help --version check status top torrents block unblock blocks purge reload snapshot drain undrain config limited events trace announce scrape doctor cluster livesync completions help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 1 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__announce)
            opts="-4 -6 -h --port --left --event --numwant --peer-id --stay --ipv4 --ipv6 --json --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --port)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --left)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --event)
                    COMPREPLY=($(compgen -W "started completed stopped paused" -- "${cur}"))
                    return 0
                    ;;
                --numwant)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --peer-id)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__block)
            opts="-h --file --note --socket --url --token --json --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --file)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --note)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --socket)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --url)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --token)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__blocks)
            opts="-h --limit --socket --url --token --json --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --limit)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --socket)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --url)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --token)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__check)
            opts="-h --json --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__cluster)
            opts="-h --json --help keygen help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__cluster__subcmd__help)
            opts="keygen help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__cluster__subcmd__help__subcmd__help)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__cluster__subcmd__help__subcmd__keygen)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__cluster__subcmd__keygen)
            opts="-h --output --json --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --output)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__completions)
            opts="-h --json --help bash elvish fish powershell zsh"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__config)
            opts="-h --json --help show import help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__config__subcmd__help)
            opts="show import help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__config__subcmd__help__subcmd__help)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__config__subcmd__help__subcmd__import)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__config__subcmd__help__subcmd__show)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__config__subcmd__import)
            opts="-h --json --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__config__subcmd__show)
            opts="-h --socket --url --token --json --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --socket)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --url)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --token)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__doctor)
            opts="-h --socket --url --token --json --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --socket)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --url)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --token)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__drain)
            opts="-h --socket --url --token --json --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --socket)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --url)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --token)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__events)
            opts="-h --count --socket --url --token --json --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --count)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --socket)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --url)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --token)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__help)
            opts="check status top torrents block unblock blocks purge reload snapshot drain undrain config limited events trace announce scrape doctor cluster livesync completions help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__help__subcmd__announce)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__help__subcmd__block)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__help__subcmd__blocks)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__help__subcmd__check)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__help__subcmd__cluster)
            opts="keygen"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__help__subcmd__cluster__subcmd__keygen)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__help__subcmd__completions)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__help__subcmd__config)
            opts="show import"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__help__subcmd__config__subcmd__import)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__help__subcmd__config__subcmd__show)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__help__subcmd__doctor)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__help__subcmd__drain)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__help__subcmd__events)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__help__subcmd__help)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__help__subcmd__limited)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__help__subcmd__livesync)
            opts="dump inject nodes status compare"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__help__subcmd__livesync__subcmd__compare)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__help__subcmd__livesync__subcmd__dump)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__help__subcmd__livesync__subcmd__inject)
            opts="live beacon inquire tell hex file"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__help__subcmd__livesync__subcmd__inject__subcmd__beacon)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 5 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__help__subcmd__livesync__subcmd__inject__subcmd__file)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 5 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__help__subcmd__livesync__subcmd__inject__subcmd__hex)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 5 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__help__subcmd__livesync__subcmd__inject__subcmd__inquire)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 5 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__help__subcmd__livesync__subcmd__inject__subcmd__live)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 5 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__help__subcmd__livesync__subcmd__inject__subcmd__tell)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 5 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__help__subcmd__livesync__subcmd__nodes)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__help__subcmd__livesync__subcmd__status)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__help__subcmd__purge)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__help__subcmd__reload)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__help__subcmd__scrape)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__help__subcmd__snapshot)
            opts="now dump verify"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__help__subcmd__snapshot__subcmd__dump)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__help__subcmd__snapshot__subcmd__now)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__help__subcmd__snapshot__subcmd__verify)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__help__subcmd__status)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__help__subcmd__top)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__help__subcmd__torrents)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__help__subcmd__trace)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__help__subcmd__unblock)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__help__subcmd__undrain)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__limited)
            opts="-h --limit --socket --url --token --json --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --limit)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --socket)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --url)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --token)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__livesync)
            opts="-h --json --help dump inject nodes status compare help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__livesync__subcmd__compare)
            opts="-h --within --socket --url --token --json --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --within)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --socket)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --url)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --token)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__livesync__subcmd__dump)
            opts="-h --interface --group --port --secret --count --json --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --interface)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --group)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --port)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --secret)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --count)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__livesync__subcmd__help)
            opts="dump inject nodes status compare help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__livesync__subcmd__help__subcmd__compare)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__livesync__subcmd__help__subcmd__dump)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__livesync__subcmd__help__subcmd__help)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__livesync__subcmd__help__subcmd__inject)
            opts="live beacon inquire tell hex file"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__livesync__subcmd__help__subcmd__inject__subcmd__beacon)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 5 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__livesync__subcmd__help__subcmd__inject__subcmd__file)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 5 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__livesync__subcmd__help__subcmd__inject__subcmd__hex)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 5 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__livesync__subcmd__help__subcmd__inject__subcmd__inquire)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 5 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__livesync__subcmd__help__subcmd__inject__subcmd__live)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 5 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__livesync__subcmd__help__subcmd__inject__subcmd__tell)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 5 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__livesync__subcmd__help__subcmd__nodes)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__livesync__subcmd__help__subcmd__status)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__livesync__subcmd__inject)
            opts="-h --interface --group --port --secret --id --json --help live beacon inquire tell hex file help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --interface)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --group)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --port)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --secret)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --id)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__livesync__subcmd__inject__subcmd__beacon)
            opts="-h --json --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__livesync__subcmd__inject__subcmd__file)
            opts="-h --json --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__livesync__subcmd__inject__subcmd__help)
            opts="live beacon inquire tell hex file help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__livesync__subcmd__inject__subcmd__help__subcmd__beacon)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 5 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__livesync__subcmd__inject__subcmd__help__subcmd__file)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 5 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__livesync__subcmd__inject__subcmd__help__subcmd__help)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 5 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__livesync__subcmd__inject__subcmd__help__subcmd__hex)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 5 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__livesync__subcmd__inject__subcmd__help__subcmd__inquire)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 5 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__livesync__subcmd__inject__subcmd__help__subcmd__live)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 5 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__livesync__subcmd__inject__subcmd__help__subcmd__tell)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 5 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__livesync__subcmd__inject__subcmd__hex)
            opts="-h --json --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__livesync__subcmd__inject__subcmd__inquire)
            opts="-h --json --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__livesync__subcmd__inject__subcmd__live)
            opts="-h --seeding --completed --stopped --mapped --json --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__livesync__subcmd__inject__subcmd__tell)
            opts="-h --age --json --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --age)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__livesync__subcmd__nodes)
            opts="-h --interface --group --port --secret --for --json --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --interface)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --group)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --port)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --secret)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --for)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__livesync__subcmd__status)
            opts="-h --socket --url --token --json --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --socket)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --url)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --token)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__purge)
            opts="-h --file --socket --url --token --json --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --file)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --socket)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --url)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --token)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__reload)
            opts="-h --socket --url --token --json --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --socket)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --url)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --token)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__scrape)
            opts="-4 -6 -h --ipv4 --ipv6 --json --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__snapshot)
            opts="-h --json --help now dump verify help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__snapshot__subcmd__dump)
            opts="-h --peers --json --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__snapshot__subcmd__help)
            opts="now dump verify help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__snapshot__subcmd__help__subcmd__dump)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__snapshot__subcmd__help__subcmd__help)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__snapshot__subcmd__help__subcmd__now)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__snapshot__subcmd__help__subcmd__verify)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__snapshot__subcmd__now)
            opts="-h --socket --url --token --json --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --socket)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --url)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --token)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__snapshot__subcmd__verify)
            opts="-h --json --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__status)
            opts="-h --socket --url --token --json --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --socket)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --url)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --token)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__top)
            opts="-h --interval --count --socket --url --token --json --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --interval)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --count)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --socket)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --url)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --token)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__torrents)
            opts="-h --sort --limit --all --peers --socket --url --token --json --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --sort)
                    COMPREPLY=($(compgen -W "none info-hash peers seeders leechers downloads" -- "${cur}"))
                    return 0
                    ;;
                --limit)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --peers)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --socket)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --url)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --token)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__trace)
            opts="-h --info-hash --prefix --outcome --max --seconds --socket --url --token --json --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --info-hash)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --prefix)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --outcome)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --max)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --seconds)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --socket)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --url)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --token)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__unblock)
            opts="-h --file --socket --url --token --json --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --file)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --socket)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --url)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --token)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        opentracker__subcmd__ctl__subcmd__undrain)
            opts="-h --socket --url --token --json --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --socket)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --url)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --token)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
    esac
}

if [[ "${BASH_VERSINFO[0]}" -eq 4 && "${BASH_VERSINFO[1]}" -ge 4 || "${BASH_VERSINFO[0]}" -gt 4 ]]; then
    complete -F _opentracker__ctl -o nosort -o bashdefault -o default opentracker-ctl
else
    complete -F _opentracker__ctl -o bashdefault -o default opentracker-ctl
fi
