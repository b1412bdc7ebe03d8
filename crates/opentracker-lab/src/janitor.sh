# Ends every process in the namespaces whose names begin with $1, and deletes them. Starts when
# standard input ends: the process on its other side let go of it or is dead.
cat >/dev/null
for handle in /run/netns/"$1"*; do
    [ -e "$handle" ] || continue
    name=${handle##*/}
    # A process may fork while it is looked for, so look until none is left, for 5 s at most.
    tries=0
    while pids=$(ip netns pids "$name") && [ -n "$pids" ] && [ "$tries" -lt 500 ]; do
        # One may end by itself meanwhile.
        for pid in $pids; do kill -KILL "$pid" 2>/dev/null || :; done
        tries=$((tries + 1))
        sleep 0.01
    done
    ip netns delete "$name"
    rm -rf "/etc/netns/$name"
done
