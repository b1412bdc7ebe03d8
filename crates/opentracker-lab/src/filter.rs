use crate::namespace::Namespace;

/// Where in a namespace's path of packets a [`Filter`] drops them.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Hook {
    /// Packets that arrive for this host.
    Input,
    /// Packets that this host sends.
    Output,
    /// Frames from one port of the switch to another.
    Forward,
}

impl Hook {
    const fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
            Self::Forward => "forward",
        }
    }
}

/// The packets that a namespace drops: an nftables table of one's own, with a counter.
#[derive(Debug, Clone)]
pub(crate) struct Filter {
    namespace: Namespace,
    family: &'static str,
}

impl Filter {
    /// The filter of a host, for IPv4 and IPv6.
    pub(crate) fn of_host(namespace: &Namespace) -> Self {
        Self {
            namespace: namespace.clone(),
            family: "inet",
        }
    }

    /// The filter of the switch.
    pub(crate) fn of_switch(namespace: &Namespace) -> Self {
        Self {
            namespace: namespace.clone(),
            family: "bridge",
        }
    }

    /// Drops what matches, besides what is dropped already.
    pub(crate) fn drop_matching(&self, hook: Hook, matching: &str) {
        let (family, chain) = (self.family, hook.name());
        self.script(&format!(
            "add chain {family} lab {chain} {{ type filter hook {chain} priority 0; }}\n\
             add rule {family} lab {chain} {matching} counter name dropped drop\n"
        ));
    }

    /// Lets everything pass again; the count goes on.
    pub(crate) fn clear(&self) {
        self.script(&format!("flush table {} lab\n", self.family));
    }

    /// Counts what was dropped so far.
    pub(crate) fn dropped(&self) -> u64 {
        let listing = self.script(&format!("list counter {} lab dropped\n", self.family));
        packets(&listing).unwrap_or_else(|| panic!("nft lists no packets:\n{listing}"))
    }

    /// Runs a script for which the table and its counter exist.
    fn script(&self, lines: &str) -> String {
        let family = self.family;
        self.namespace.nft(&format!(
            "add table {family} lab\nadd counter {family} lab dropped\n{lines}"
        ))
    }
}

fn packets(listing: &str) -> Option<u64> {
    let mut words = listing.split_ascii_whitespace();
    words.find(|&word| word == "packets")?;
    words.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_read_out_of_a_listing() {
        let listing = "table inet lab {\n\tcounter dropped {\n\t\tpackets 17 bytes 1003\n\t}\n}\n";
        assert_eq!(packets(listing), Some(17));
        assert_eq!(packets("table inet lab {\n}\n"), None);
    }
}
