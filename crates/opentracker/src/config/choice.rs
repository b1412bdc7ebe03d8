//! Keys that take one of a few words.

use super::findings::enumerate;
use super::value::{Input, Value, Wrong};

/// Declares an enum whose values are words: its name, what a value is, and the words.
macro_rules! choices {
    (
        $(#[$attribute:meta])+
        $Type:ident: $wanted:literal {
            $( $(#[$of_variant:meta])+ $Variant:ident = $word:literal, )+
        }
    ) => {
        $(#[$attribute])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $Type { $( $(#[$of_variant])+ $Variant, )+ }

        impl Value for $Type {
            const WANTED: &'static str = $wanted;
            const CHOICES: &'static [&'static str] = &[$($word),+];

            fn hint() -> String {
                enumerate(Self::CHOICES, "or")
            }

            fn read(input: Input<'_>) -> Result<Self, Vec<Wrong>> {
                input.parse(|text| match text {
                    $( $word => Some(Self::$Variant), )+
                    _ => None,
                })
            }

            fn to_toml(&self) -> toml::Value {
                match self { $( Self::$Variant => $word, )+ }.into()
            }
        }
    };
}

choices! {
    /// Which packets are sent to the cluster; everything is always understood.
    Dialect: "a dialect" {
        /// For clusters of this program.
        Full = "full",
        /// For C nodes up to 2014: IPv4 peers only, no scrape sync.
        CV4 = "c-v4",
        /// For dual-stack C nodes from 2024 on: no scrape sync.
        CDual = "c-dual",
    }
}

choices! {
    /// What receives datagrams.
    UdpBackend: "a back end" {
        /// Sockets, and the network stack of the kernel.
        Sockets = "sockets",
        /// The interface itself, and sockets for what is left.
        Xdp = "xdp",
    }
}

choices! {
    /// Where XDP takes frames.
    XdpMode: "a mode" {
        /// In the driver where it can, without a copy where it can that.
        Auto = "auto",
        /// In the driver, each frame copied.
        Native = "native",
        /// Above the driver.
        Generic = "generic",
        /// In the driver, without a copy.
        ZeroCopy = "zero-copy",
    }
}

choices! {
    /// How much is logged.
    LogLevel: "a level" {
        /// What keeps the tracker from working.
        Error = "error",
        /// What is worth waking someone.
        Warn = "warn",
        /// What an operator reads.
        Info = "info",
        /// Peers and torrents.
        Debug = "debug",
        /// Datagrams.
        Trace = "trace",
    }
}

choices! {
    /// How much of an address logs show.
    LogAddresses: "a choice" {
        /// The /24 of an IPv4 address, the /48 of an IPv6 address.
        Short = "short",
        /// All of it.
        Full = "full",
    }
}

choices! {
    /// The form of log lines.
    LogFormat: "a format" {
        /// For people.
        Text = "text",
        /// An object a line, for collectors.
        Json = "json",
    }
}
