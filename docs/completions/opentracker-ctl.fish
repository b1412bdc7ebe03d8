# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_opentracker_ctl_global_optspecs
    string join \n json h/help V/version
end

function __fish_opentracker_ctl_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_opentracker_ctl_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_opentracker_ctl_using_subcommand
    set -l cmd (__fish_opentracker_ctl_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c opentracker-ctl -n "__fish_opentracker_ctl_needs_command" -l json -d 'Print JSON: what the tracker answers, as it comes; of a stream an object a line'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_needs_command" -s h -l help -d 'Print help'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_needs_command" -s V -l version -d 'Print version'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_needs_command" -f -a "check" -d 'Tries a configuration as a start would, and prints what would be in force'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_needs_command" -f -a "status" -d 'Says what a tracker is and how it is'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_needs_command" -f -a "top" -d 'Shows rates, swarms, replies, latency, nodes and the largest torrents, live'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_needs_command" -f -a "torrents" -d 'Lists torrents, or shows one with its peers'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_needs_command" -f -a "block" -d 'Blocks torrents: they are not served any more, and their peers are gone at once'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_needs_command" -f -a "unblock" -d 'Ends the block of torrents'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_needs_command" -f -a "blocks" -d 'Lists the torrents that were blocked, with their notes'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_needs_command" -f -a "purge" -d 'Forgets the peers and counts of torrents, which may come back'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_needs_command" -f -a "reload" -d 'Has a tracker read its configuration and lists again'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_needs_command" -f -a "snapshot" -d 'Writes a snapshot, or looks into one'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_needs_command" -f -a "drain" -d 'Has a tracker say that it is not ready: it goes on to answer, so that clients can move on'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_needs_command" -f -a "undrain" -d 'Ends a drain'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_needs_command" -f -a "config" -d 'Shows the configuration in force, or imports one of the C program'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_needs_command" -f -a "limited" -d 'Lists the addresses that send more than `limits.rate`'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_needs_command" -f -a "events" -d 'Follows what happens to torrents: first seeder, completed, gone, blocked'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_needs_command" -f -a "trace" -d 'Follows a sample of requests, with what became of each and why'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_needs_command" -f -a "announce" -d 'Announces to a tracker as a client, and prints the peers'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_needs_command" -f -a "scrape" -d 'Scrapes a tracker as a client'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_needs_command" -f -a "doctor" -d 'Names what limits a tracker on this host, and what mends it'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_needs_command" -f -a "cluster" -d 'Makes what the nodes of a cluster share'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_needs_command" -f -a "livesync" -d 'Watches a cluster, and speaks to it for tests'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_needs_command" -f -a "completions" -d 'Prints the completions of a shell'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand check" -l json -d 'Print JSON: what the tracker answers, as it comes; of a stream an object a line'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand status" -l socket -d 'The control socket of a tracker of this host. Without this and `--url` it is `control.sock` in $RUNTIME_DIRECTORY, or else in /run/opentracker' -r -F
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand status" -l url -d 'The operator\'s listener of a tracker, like `http://192.0.2.1:6970`. A change may name several: each is told' -r
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand status" -l token -d 'The file with the token of these trackers' -r -F
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand status" -l json -d 'Print JSON: what the tracker answers, as it comes; of a stream an object a line'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand status" -s h -l help -d 'Print help'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand top" -l interval -d 'Time between two looks, like `2s`' -r
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand top" -l count -d 'With `--json`: end after so many lines' -r
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand top" -l socket -d 'The control socket of a tracker of this host. Without this and `--url` it is `control.sock` in $RUNTIME_DIRECTORY, or else in /run/opentracker' -r -F
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand top" -l url -d 'The operator\'s listener of a tracker, like `http://192.0.2.1:6970`. A change may name several: each is told' -r
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand top" -l token -d 'The file with the token of these trackers' -r -F
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand top" -l json -d 'Print JSON: what the tracker answers, as it comes; of a stream an object a line'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand top" -s h -l help -d 'Print help'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand torrents" -l sort -d 'The order of the list' -r -f -a "none\t'As they are stored: the quickest'
info-hash\t'By info hash'
peers\t'The most peers first'
seeders\t'The most seeders first'
leechers\t'The most leechers first'
downloads\t'The most downloads first'"
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand torrents" -l limit -d 'Torrents of the list at most' -r
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand torrents" -l peers -d 'Peers of the one torrent at most' -r
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand torrents" -l socket -d 'The control socket of a tracker of this host. Without this and `--url` it is `control.sock` in $RUNTIME_DIRECTORY, or else in /run/opentracker' -r -F
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand torrents" -l url -d 'The operator\'s listener of a tracker, like `http://192.0.2.1:6970`. A change may name several: each is told' -r
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand torrents" -l token -d 'The file with the token of these trackers' -r -F
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand torrents" -l all -d 'Lists all of them. With `--json` each page of 1000 is a line'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand torrents" -l json -d 'Print JSON: what the tracker answers, as it comes; of a stream an object a line'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand torrents" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand block" -l file -d 'Reads info hashes from a file as well, one a line; several times for several files' -r -F
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand block" -l note -d 'Why, for those who look at it later; in place of the notes of a list' -r
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand block" -l socket -d 'The control socket of a tracker of this host. Without this and `--url` it is `control.sock` in $RUNTIME_DIRECTORY, or else in /run/opentracker' -r -F
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand block" -l url -d 'The operator\'s listener of a tracker, like `http://192.0.2.1:6970`. A change may name several: each is told' -r
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand block" -l token -d 'The file with the token of these trackers' -r -F
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand block" -l json -d 'Print JSON: what the tracker answers, as it comes; of a stream an object a line'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand block" -s h -l help -d 'Print help'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand unblock" -l file -d 'Reads info hashes from a file as well, one a line; several times for several files' -r -F
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand unblock" -l socket -d 'The control socket of a tracker of this host. Without this and `--url` it is `control.sock` in $RUNTIME_DIRECTORY, or else in /run/opentracker' -r -F
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand unblock" -l url -d 'The operator\'s listener of a tracker, like `http://192.0.2.1:6970`. A change may name several: each is told' -r
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand unblock" -l token -d 'The file with the token of these trackers' -r -F
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand unblock" -l json -d 'Print JSON: what the tracker answers, as it comes; of a stream an object a line'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand unblock" -s h -l help -d 'Print help'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand blocks" -l limit -d 'Blocks of the list at most; not given: all' -r
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand blocks" -l socket -d 'The control socket of a tracker of this host. Without this and `--url` it is `control.sock` in $RUNTIME_DIRECTORY, or else in /run/opentracker' -r -F
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand blocks" -l url -d 'The operator\'s listener of a tracker, like `http://192.0.2.1:6970`. A change may name several: each is told' -r
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand blocks" -l token -d 'The file with the token of these trackers' -r -F
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand blocks" -l json -d 'Print JSON: what the tracker answers, as it comes; of a stream an object a line'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand blocks" -s h -l help -d 'Print help'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand purge" -l file -d 'Reads info hashes from a file as well, one a line; several times for several files' -r -F
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand purge" -l socket -d 'The control socket of a tracker of this host. Without this and `--url` it is `control.sock` in $RUNTIME_DIRECTORY, or else in /run/opentracker' -r -F
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand purge" -l url -d 'The operator\'s listener of a tracker, like `http://192.0.2.1:6970`. A change may name several: each is told' -r
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand purge" -l token -d 'The file with the token of these trackers' -r -F
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand purge" -l json -d 'Print JSON: what the tracker answers, as it comes; of a stream an object a line'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand purge" -s h -l help -d 'Print help'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand reload" -l socket -d 'The control socket of a tracker of this host. Without this and `--url` it is `control.sock` in $RUNTIME_DIRECTORY, or else in /run/opentracker' -r -F
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand reload" -l url -d 'The operator\'s listener of a tracker, like `http://192.0.2.1:6970`. A change may name several: each is told' -r
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand reload" -l token -d 'The file with the token of these trackers' -r -F
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand reload" -l json -d 'Print JSON: what the tracker answers, as it comes; of a stream an object a line'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand reload" -s h -l help -d 'Print help'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand snapshot; and not __fish_seen_subcommand_from now dump verify help" -l json -d 'Print JSON: what the tracker answers, as it comes; of a stream an object a line'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand snapshot; and not __fish_seen_subcommand_from now dump verify help" -s h -l help -d 'Print help'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand snapshot; and not __fish_seen_subcommand_from now dump verify help" -f -a "now" -d 'Has a tracker write its snapshot now, and waits for it'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand snapshot; and not __fish_seen_subcommand_from now dump verify help" -f -a "dump" -d 'Prints the torrents of a snapshot, one a line: info hash, seeders, leechers, downloads, idle minutes'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand snapshot; and not __fish_seen_subcommand_from now dump verify help" -f -a "verify" -d 'Says whether a snapshot is whole, and what is missing. The exit code is 1 if something is'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand snapshot; and not __fish_seen_subcommand_from now dump verify help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand snapshot; and __fish_seen_subcommand_from now" -l socket -d 'The control socket of a tracker of this host. Without this and `--url` it is `control.sock` in $RUNTIME_DIRECTORY, or else in /run/opentracker' -r -F
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand snapshot; and __fish_seen_subcommand_from now" -l url -d 'The operator\'s listener of a tracker, like `http://192.0.2.1:6970`. A change may name several: each is told' -r
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand snapshot; and __fish_seen_subcommand_from now" -l token -d 'The file with the token of these trackers' -r -F
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand snapshot; and __fish_seen_subcommand_from now" -l json -d 'Print JSON: what the tracker answers, as it comes; of a stream an object a line'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand snapshot; and __fish_seen_subcommand_from now" -s h -l help -d 'Print help'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand snapshot; and __fish_seen_subcommand_from dump" -l peers -d 'Prints the peers instead: info hash, address, what it is, age in minutes'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand snapshot; and __fish_seen_subcommand_from dump" -l json -d 'Print JSON: what the tracker answers, as it comes; of a stream an object a line'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand snapshot; and __fish_seen_subcommand_from dump" -s h -l help -d 'Print help'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand snapshot; and __fish_seen_subcommand_from verify" -l json -d 'Print JSON: what the tracker answers, as it comes; of a stream an object a line'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand snapshot; and __fish_seen_subcommand_from verify" -s h -l help -d 'Print help'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand snapshot; and __fish_seen_subcommand_from help" -f -a "now" -d 'Has a tracker write its snapshot now, and waits for it'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand snapshot; and __fish_seen_subcommand_from help" -f -a "dump" -d 'Prints the torrents of a snapshot, one a line: info hash, seeders, leechers, downloads, idle minutes'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand snapshot; and __fish_seen_subcommand_from help" -f -a "verify" -d 'Says whether a snapshot is whole, and what is missing. The exit code is 1 if something is'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand snapshot; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand drain" -l socket -d 'The control socket of a tracker of this host. Without this and `--url` it is `control.sock` in $RUNTIME_DIRECTORY, or else in /run/opentracker' -r -F
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand drain" -l url -d 'The operator\'s listener of a tracker, like `http://192.0.2.1:6970`. A change may name several: each is told' -r
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand drain" -l token -d 'The file with the token of these trackers' -r -F
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand drain" -l json -d 'Print JSON: what the tracker answers, as it comes; of a stream an object a line'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand drain" -s h -l help -d 'Print help'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand undrain" -l socket -d 'The control socket of a tracker of this host. Without this and `--url` it is `control.sock` in $RUNTIME_DIRECTORY, or else in /run/opentracker' -r -F
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand undrain" -l url -d 'The operator\'s listener of a tracker, like `http://192.0.2.1:6970`. A change may name several: each is told' -r
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand undrain" -l token -d 'The file with the token of these trackers' -r -F
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand undrain" -l json -d 'Print JSON: what the tracker answers, as it comes; of a stream an object a line'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand undrain" -s h -l help -d 'Print help'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand config; and not __fish_seen_subcommand_from show import help" -l json -d 'Print JSON: what the tracker answers, as it comes; of a stream an object a line'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand config; and not __fish_seen_subcommand_from show import help" -s h -l help -d 'Print help'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand config; and not __fish_seen_subcommand_from show import help" -f -a "show" -d 'Prints the configuration that is in force at a tracker, secrets left out'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand config; and not __fish_seen_subcommand_from show import help" -f -a "import" -d 'Prints the TOML for a configuration of the C program: the keys that are not as by default'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand config; and not __fish_seen_subcommand_from show import help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand config; and __fish_seen_subcommand_from show" -l socket -d 'The control socket of a tracker of this host. Without this and `--url` it is `control.sock` in $RUNTIME_DIRECTORY, or else in /run/opentracker' -r -F
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand config; and __fish_seen_subcommand_from show" -l url -d 'The operator\'s listener of a tracker, like `http://192.0.2.1:6970`. A change may name several: each is told' -r
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand config; and __fish_seen_subcommand_from show" -l token -d 'The file with the token of these trackers' -r -F
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand config; and __fish_seen_subcommand_from show" -l json -d 'Print JSON: what the tracker answers, as it comes; of a stream an object a line'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand config; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand config; and __fish_seen_subcommand_from import" -l json -d 'Print JSON: what the tracker answers, as it comes; of a stream an object a line'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand config; and __fish_seen_subcommand_from import" -s h -l help -d 'Print help'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "show" -d 'Prints the configuration that is in force at a tracker, secrets left out'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "import" -d 'Prints the TOML for a configuration of the C program: the keys that are not as by default'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand limited" -l limit -d 'Prefixes of the list at most' -r
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand limited" -l socket -d 'The control socket of a tracker of this host. Without this and `--url` it is `control.sock` in $RUNTIME_DIRECTORY, or else in /run/opentracker' -r -F
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand limited" -l url -d 'The operator\'s listener of a tracker, like `http://192.0.2.1:6970`. A change may name several: each is told' -r
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand limited" -l token -d 'The file with the token of these trackers' -r -F
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand limited" -l json -d 'Print JSON: what the tracker answers, as it comes; of a stream an object a line'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand limited" -s h -l help -d 'Print help'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand events" -l count -d 'End after so many' -r
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand events" -l socket -d 'The control socket of a tracker of this host. Without this and `--url` it is `control.sock` in $RUNTIME_DIRECTORY, or else in /run/opentracker' -r -F
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand events" -l url -d 'The operator\'s listener of a tracker, like `http://192.0.2.1:6970`. A change may name several: each is told' -r
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand events" -l token -d 'The file with the token of these trackers' -r -F
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand events" -l json -d 'Print JSON: what the tracker answers, as it comes; of a stream an object a line'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand events" -s h -l help -d 'Print help'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand trace" -l info-hash -d 'Requests for this torrent alone' -r
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand trace" -l prefix -d 'Requests from this address or network alone, like `192.0.2.0/24`' -r
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand trace" -l outcome -d 'Requests with this outcome alone: `served`, `rejected` if they could not be understood, or a reason like `denied`' -r
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand trace" -l max -d 'End after so many requests; not given: 1000' -r
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand trace" -l seconds -d 'End after so many seconds; not given: 60' -r
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand trace" -l socket -d 'The control socket of a tracker of this host. Without this and `--url` it is `control.sock` in $RUNTIME_DIRECTORY, or else in /run/opentracker' -r -F
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand trace" -l url -d 'The operator\'s listener of a tracker, like `http://192.0.2.1:6970`. A change may name several: each is told' -r
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand trace" -l token -d 'The file with the token of these trackers' -r -F
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand trace" -l json -d 'Print JSON: what the tracker answers, as it comes; of a stream an object a line'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand trace" -s h -l help -d 'Print help'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand announce" -l port -d 'The port that others are told' -r
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand announce" -l left -d 'Octets that are left to download; 0 = a seeder' -r
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand announce" -l event -d 'What happens' -r -f -a "started\t'The client has just started'
completed\t'The client has just finished the download'
stopped\t'The client goes away'
paused\t'The client is a partial seed (BEP 21)'"
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand announce" -l numwant -d 'Peers to ask for; not given: the tracker chooses' -r
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand announce" -l peer-id -d 'The peer id: 20 characters, or `%xx` for some of them' -r
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand announce" -l stay -d 'Stay in the swarm. Without it a second announce takes us out again'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand announce" -s 4 -l ipv4 -d 'Over IPv4'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand announce" -s 6 -l ipv6 -d 'Over IPv6'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand announce" -l json -d 'Print JSON: what the tracker answers, as it comes; of a stream an object a line'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand announce" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand scrape" -s 4 -l ipv4 -d 'Over IPv4'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand scrape" -s 6 -l ipv6 -d 'Over IPv6'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand scrape" -l json -d 'Print JSON: what the tracker answers, as it comes; of a stream an object a line'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand scrape" -s h -l help -d 'Print help'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand doctor" -l socket -d 'The control socket of a tracker of this host. Without this and `--url` it is `control.sock` in $RUNTIME_DIRECTORY, or else in /run/opentracker' -r -F
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand doctor" -l url -d 'The operator\'s listener of a tracker, like `http://192.0.2.1:6970`. A change may name several: each is told' -r
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand doctor" -l token -d 'The file with the token of these trackers' -r -F
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand doctor" -l json -d 'Print JSON: what the tracker answers, as it comes; of a stream an object a line'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand doctor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand cluster; and not __fish_seen_subcommand_from keygen help" -l json -d 'Print JSON: what the tracker answers, as it comes; of a stream an object a line'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand cluster; and not __fish_seen_subcommand_from keygen help" -s h -l help -d 'Print help'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand cluster; and not __fish_seen_subcommand_from keygen help" -f -a "keygen" -d 'Draws a key for the file of `livesync.secret` from the system\'s randomness, and prints it'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand cluster; and not __fish_seen_subcommand_from keygen help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand cluster; and __fish_seen_subcommand_from keygen" -l output -d 'Write it to a new file instead, which its owner alone may read, and print its name' -r -F
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand cluster; and __fish_seen_subcommand_from keygen" -l json -d 'Print JSON: what the tracker answers, as it comes; of a stream an object a line'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand cluster; and __fish_seen_subcommand_from keygen" -s h -l help -d 'Print help'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand cluster; and __fish_seen_subcommand_from help" -f -a "keygen" -d 'Draws a key for the file of `livesync.secret` from the system\'s randomness, and prints it'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand cluster; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand livesync; and not __fish_seen_subcommand_from dump inject nodes status compare help" -l json -d 'Print JSON: what the tracker answers, as it comes; of a stream an object a line'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand livesync; and not __fish_seen_subcommand_from dump inject nodes status compare help" -s h -l help -d 'Print help'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand livesync; and not __fish_seen_subcommand_from dump inject nodes status compare help" -f -a "dump" -d 'Prints each packet of the group. What the trackers of this host send is not among them'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand livesync; and not __fish_seen_subcommand_from dump inject nodes status compare help" -f -a "inject" -d 'Sends packets to the group. Trackers take them if they list our address'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand livesync; and not __fish_seen_subcommand_from dump inject nodes status compare help" -f -a "nodes" -d 'Listens for a while and lists the nodes that were heard'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand livesync; and not __fish_seen_subcommand_from dump inject nodes status compare help" -f -a "status" -d 'Asks a running tracker what it knows of the others'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand livesync; and not __fish_seen_subcommand_from dump inject nodes status compare help" -f -a "compare" -d 'Asks several trackers whom they hear, and names who is heard by some of them alone'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand livesync; and not __fish_seen_subcommand_from dump inject nodes status compare help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand livesync; and __fish_seen_subcommand_from dump" -l interface -d 'The address of the interface to join on' -r
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand livesync; and __fish_seen_subcommand_from dump" -l group -d 'The multicast group' -r
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand livesync; and __fish_seen_subcommand_from dump" -l port -d 'The port' -r
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand livesync; and __fish_seen_subcommand_from dump" -l secret -d 'The file of `livesync.secret`. Its first key seals, and a seal that fits any of them is good' -r -F
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand livesync; and __fish_seen_subcommand_from dump" -l count -d 'End after so many packets' -r
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand livesync; and __fish_seen_subcommand_from dump" -l json -d 'Print JSON: what the tracker answers, as it comes; of a stream an object a line'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand livesync; and __fish_seen_subcommand_from dump" -s h -l help -d 'Print help'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand livesync; and __fish_seen_subcommand_from inject" -l interface -d 'The address of the interface to join on' -r
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand livesync; and __fish_seen_subcommand_from inject" -l group -d 'The multicast group' -r
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand livesync; and __fish_seen_subcommand_from inject" -l port -d 'The port' -r
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand livesync; and __fish_seen_subcommand_from inject" -l secret -d 'The file of `livesync.secret`. Its first key seals, and a seal that fits any of them is good' -r -F
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand livesync; and __fish_seen_subcommand_from inject" -l id -d 'The id to send in the name of, 8 hexadecimal digits' -r
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand livesync; and __fish_seen_subcommand_from inject" -l json -d 'Print JSON: what the tracker answers, as it comes; of a stream an object a line'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand livesync; and __fish_seen_subcommand_from inject" -s h -l help -d 'Print help'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand livesync; and __fish_seen_subcommand_from inject" -f -a "live" -d 'An announce: SYNC_LIVE for an IPv4 peer, SYNC_LIVE6 for an IPv6 peer'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand livesync; and __fish_seen_subcommand_from inject" -f -a "beacon" -d 'How many torrents there are: BEACON'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand livesync; and __fish_seen_subcommand_from inject" -f -a "inquire" -d 'A question for all torrents of a tracker: INQUIRE'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand livesync; and __fish_seen_subcommand_from inject" -f -a "tell" -d 'The download count of a torrent: SCRAPE_TELL'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand livesync; and __fish_seen_subcommand_from inject" -f -a "hex" -d 'Any octets'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand livesync; and __fish_seen_subcommand_from inject" -f -a "file" -d 'A file with a datagram a line in hexadecimal digits; `#` begins a comment'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand livesync; and __fish_seen_subcommand_from inject" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand livesync; and __fish_seen_subcommand_from nodes" -l interface -d 'The address of the interface to join on' -r
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand livesync; and __fish_seen_subcommand_from nodes" -l group -d 'The multicast group' -r
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand livesync; and __fish_seen_subcommand_from nodes" -l port -d 'The port' -r
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand livesync; and __fish_seen_subcommand_from nodes" -l secret -d 'The file of `livesync.secret`. Its first key seals, and a seal that fits any of them is good' -r -F
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand livesync; and __fish_seen_subcommand_from nodes" -l for -d 'How long to listen; nodes that serve nobody are heard once a beacon interval' -r
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand livesync; and __fish_seen_subcommand_from nodes" -l json -d 'Print JSON: what the tracker answers, as it comes; of a stream an object a line'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand livesync; and __fish_seen_subcommand_from nodes" -s h -l help -d 'Print help'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand livesync; and __fish_seen_subcommand_from status" -l socket -d 'The control socket of a tracker of this host. Without this and `--url` it is `control.sock` in $RUNTIME_DIRECTORY, or else in /run/opentracker' -r -F
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand livesync; and __fish_seen_subcommand_from status" -l url -d 'The operator\'s listener of a tracker, like `http://192.0.2.1:6970`. A change may name several: each is told' -r
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand livesync; and __fish_seen_subcommand_from status" -l token -d 'The file with the token of these trackers' -r -F
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand livesync; and __fish_seen_subcommand_from status" -l json -d 'Print JSON: what the tracker answers, as it comes; of a stream an object a line'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand livesync; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand livesync; and __fish_seen_subcommand_from compare" -l within -d 'How long ago one may have been heard; one whom nobody has heard for half of it is gone' -r
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand livesync; and __fish_seen_subcommand_from compare" -l socket -d 'The control socket of a tracker of this host. Without this and `--url` it is `control.sock` in $RUNTIME_DIRECTORY, or else in /run/opentracker' -r -F
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand livesync; and __fish_seen_subcommand_from compare" -l url -d 'The operator\'s listener of a tracker, like `http://192.0.2.1:6970`. A change may name several: each is told' -r
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand livesync; and __fish_seen_subcommand_from compare" -l token -d 'The file with the token of these trackers' -r -F
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand livesync; and __fish_seen_subcommand_from compare" -l json -d 'Print JSON: what the tracker answers, as it comes; of a stream an object a line'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand livesync; and __fish_seen_subcommand_from compare" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand livesync; and __fish_seen_subcommand_from help" -f -a "dump" -d 'Prints each packet of the group. What the trackers of this host send is not among them'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand livesync; and __fish_seen_subcommand_from help" -f -a "inject" -d 'Sends packets to the group. Trackers take them if they list our address'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand livesync; and __fish_seen_subcommand_from help" -f -a "nodes" -d 'Listens for a while and lists the nodes that were heard'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand livesync; and __fish_seen_subcommand_from help" -f -a "status" -d 'Asks a running tracker what it knows of the others'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand livesync; and __fish_seen_subcommand_from help" -f -a "compare" -d 'Asks several trackers whom they hear, and names who is heard by some of them alone'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand livesync; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand completions" -l json -d 'Print JSON: what the tracker answers, as it comes; of a stream an object a line'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand completions" -s h -l help -d 'Print help'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand help; and not __fish_seen_subcommand_from check status top torrents block unblock blocks purge reload snapshot drain undrain config limited events trace announce scrape doctor cluster livesync completions help" -f -a "check" -d 'Tries a configuration as a start would, and prints what would be in force'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand help; and not __fish_seen_subcommand_from check status top torrents block unblock blocks purge reload snapshot drain undrain config limited events trace announce scrape doctor cluster livesync completions help" -f -a "status" -d 'Says what a tracker is and how it is'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand help; and not __fish_seen_subcommand_from check status top torrents block unblock blocks purge reload snapshot drain undrain config limited events trace announce scrape doctor cluster livesync completions help" -f -a "top" -d 'Shows rates, swarms, replies, latency, nodes and the largest torrents, live'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand help; and not __fish_seen_subcommand_from check status top torrents block unblock blocks purge reload snapshot drain undrain config limited events trace announce scrape doctor cluster livesync completions help" -f -a "torrents" -d 'Lists torrents, or shows one with its peers'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand help; and not __fish_seen_subcommand_from check status top torrents block unblock blocks purge reload snapshot drain undrain config limited events trace announce scrape doctor cluster livesync completions help" -f -a "block" -d 'Blocks torrents: they are not served any more, and their peers are gone at once'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand help; and not __fish_seen_subcommand_from check status top torrents block unblock blocks purge reload snapshot drain undrain config limited events trace announce scrape doctor cluster livesync completions help" -f -a "unblock" -d 'Ends the block of torrents'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand help; and not __fish_seen_subcommand_from check status top torrents block unblock blocks purge reload snapshot drain undrain config limited events trace announce scrape doctor cluster livesync completions help" -f -a "blocks" -d 'Lists the torrents that were blocked, with their notes'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand help; and not __fish_seen_subcommand_from check status top torrents block unblock blocks purge reload snapshot drain undrain config limited events trace announce scrape doctor cluster livesync completions help" -f -a "purge" -d 'Forgets the peers and counts of torrents, which may come back'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand help; and not __fish_seen_subcommand_from check status top torrents block unblock blocks purge reload snapshot drain undrain config limited events trace announce scrape doctor cluster livesync completions help" -f -a "reload" -d 'Has a tracker read its configuration and lists again'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand help; and not __fish_seen_subcommand_from check status top torrents block unblock blocks purge reload snapshot drain undrain config limited events trace announce scrape doctor cluster livesync completions help" -f -a "snapshot" -d 'Writes a snapshot, or looks into one'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand help; and not __fish_seen_subcommand_from check status top torrents block unblock blocks purge reload snapshot drain undrain config limited events trace announce scrape doctor cluster livesync completions help" -f -a "drain" -d 'Has a tracker say that it is not ready: it goes on to answer, so that clients can move on'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand help; and not __fish_seen_subcommand_from check status top torrents block unblock blocks purge reload snapshot drain undrain config limited events trace announce scrape doctor cluster livesync completions help" -f -a "undrain" -d 'Ends a drain'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand help; and not __fish_seen_subcommand_from check status top torrents block unblock blocks purge reload snapshot drain undrain config limited events trace announce scrape doctor cluster livesync completions help" -f -a "config" -d 'Shows the configuration in force, or imports one of the C program'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand help; and not __fish_seen_subcommand_from check status top torrents block unblock blocks purge reload snapshot drain undrain config limited events trace announce scrape doctor cluster livesync completions help" -f -a "limited" -d 'Lists the addresses that send more than `limits.rate`'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand help; and not __fish_seen_subcommand_from check status top torrents block unblock blocks purge reload snapshot drain undrain config limited events trace announce scrape doctor cluster livesync completions help" -f -a "events" -d 'Follows what happens to torrents: first seeder, completed, gone, blocked'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand help; and not __fish_seen_subcommand_from check status top torrents block unblock blocks purge reload snapshot drain undrain config limited events trace announce scrape doctor cluster livesync completions help" -f -a "trace" -d 'Follows a sample of requests, with what became of each and why'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand help; and not __fish_seen_subcommand_from check status top torrents block unblock blocks purge reload snapshot drain undrain config limited events trace announce scrape doctor cluster livesync completions help" -f -a "announce" -d 'Announces to a tracker as a client, and prints the peers'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand help; and not __fish_seen_subcommand_from check status top torrents block unblock blocks purge reload snapshot drain undrain config limited events trace announce scrape doctor cluster livesync completions help" -f -a "scrape" -d 'Scrapes a tracker as a client'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand help; and not __fish_seen_subcommand_from check status top torrents block unblock blocks purge reload snapshot drain undrain config limited events trace announce scrape doctor cluster livesync completions help" -f -a "doctor" -d 'Names what limits a tracker on this host, and what mends it'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand help; and not __fish_seen_subcommand_from check status top torrents block unblock blocks purge reload snapshot drain undrain config limited events trace announce scrape doctor cluster livesync completions help" -f -a "cluster" -d 'Makes what the nodes of a cluster share'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand help; and not __fish_seen_subcommand_from check status top torrents block unblock blocks purge reload snapshot drain undrain config limited events trace announce scrape doctor cluster livesync completions help" -f -a "livesync" -d 'Watches a cluster, and speaks to it for tests'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand help; and not __fish_seen_subcommand_from check status top torrents block unblock blocks purge reload snapshot drain undrain config limited events trace announce scrape doctor cluster livesync completions help" -f -a "completions" -d 'Prints the completions of a shell'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand help; and not __fish_seen_subcommand_from check status top torrents block unblock blocks purge reload snapshot drain undrain config limited events trace announce scrape doctor cluster livesync completions help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand help; and __fish_seen_subcommand_from snapshot" -f -a "now" -d 'Has a tracker write its snapshot now, and waits for it'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand help; and __fish_seen_subcommand_from snapshot" -f -a "dump" -d 'Prints the torrents of a snapshot, one a line: info hash, seeders, leechers, downloads, idle minutes'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand help; and __fish_seen_subcommand_from snapshot" -f -a "verify" -d 'Says whether a snapshot is whole, and what is missing. The exit code is 1 if something is'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "show" -d 'Prints the configuration that is in force at a tracker, secrets left out'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "import" -d 'Prints the TOML for a configuration of the C program: the keys that are not as by default'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand help; and __fish_seen_subcommand_from cluster" -f -a "keygen" -d 'Draws a key for the file of `livesync.secret` from the system\'s randomness, and prints it'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand help; and __fish_seen_subcommand_from livesync" -f -a "dump" -d 'Prints each packet of the group. What the trackers of this host send is not among them'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand help; and __fish_seen_subcommand_from livesync" -f -a "inject" -d 'Sends packets to the group. Trackers take them if they list our address'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand help; and __fish_seen_subcommand_from livesync" -f -a "nodes" -d 'Listens for a while and lists the nodes that were heard'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand help; and __fish_seen_subcommand_from livesync" -f -a "status" -d 'Asks a running tracker what it knows of the others'
complete -c opentracker-ctl -n "__fish_opentracker_ctl_using_subcommand help; and __fish_seen_subcommand_from livesync" -f -a "compare" -d 'Asks several trackers whom they hear, and names who is heard by some of them alone'
