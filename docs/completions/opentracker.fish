complete -c opentracker -s f -l config -d 'read the configuration from FILE (TOML, or the C program\'s opentracker.conf); of several files the later one wins' -r -F
complete -c opentracker -s i -d 'address for the -p and -P that follow (all addresses)' -r -f
complete -c opentracker -s p -d 'serve HTTP on this TCP port' -r -f
complete -c opentracker -s P -d 'serve UDP on this port' -r -f
complete -c opentracker -s s -d 'join the live-sync cluster on this port, on the interface of the -i before' -r -f
complete -c opentracker -s l -d 'load the state dump in FILE' -r -F
complete -c opentracker -s r -d 'where GET / is redirected to; empty = the dashboard' -r -f
complete -c opentracker -s w -d 'file of the only info hashes that are served; empty = all' -r -F
complete -c opentracker -s b -d 'file of info hashes that are never served; empty = none' -r -F
complete -c opentracker -s A -d 'networks that may read /metrics and scrape everything' -r -f
complete -c opentracker -s u -d 'the user to become once the sockets are open' -r -f -a "(__fish_complete_users)"
complete -c opentracker -s d -d 'the folder to make the root once the sockets are open' -r -f -a "(__fish_complete_directories)"
complete -c opentracker -l check -d 'check the configuration and print what would be in force: exit 0 if it is good, 2 if not'
complete -c opentracker -l print-config -d 'print every key with its default and a comment'
complete -c opentracker -s v -l version -d 'print the version'
complete -c opentracker -s h -l help -d 'print this'
