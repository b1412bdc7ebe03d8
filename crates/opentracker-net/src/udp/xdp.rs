//! UDP below the network stack: a thread for each queue of an interface, beside those of the sockets, and
//! one that keeps watch on the interfaces.
//!
//! The addresses are those of the sockets, which stay open: what the program on the interface passes on
//! is answered there.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use opentracker_core::Worker;
use opentracker_udp::{Connections, Counter, Datagrams, Handler};
use opentracker_xdp::{Address, Interface, Network, PAYLOAD_OCTETS, Queue, Stop, Stopper, stop};
pub use opentracker_xdp::{Mode, OpenError};
use socket2::SockRef;

use super::server::{RECEIVE_TIMEOUT, Thread, trace};
use crate::duration::REQUEST_DURATION;
use crate::heartbeat::Heartbeat;

/// The interfaces that are served below the network stack.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Config {
    /// Their names.
    pub interfaces: Vec<String>,
    /// Queues of each by number; empty: all.
    pub queues: Vec<u32>,
    /// Where frames are taken.
    pub mode: Mode,
}

/// An interface that is served below the network stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServedInterface {
    /// Its name.
    pub name: String,
    /// Number of queues that are served.
    pub queues: usize,
    /// Where frames are taken, which is never [`Mode::Auto`].
    pub mode: Mode,
}

/// How often the addresses of the host are looked at, and the state of the interfaces.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Interfaces with the program on them, which takes nothing before it is served.
#[derive(Debug)]
pub(super) struct Opened {
    interfaces: Vec<Interface>,
    queues: Vec<NamedQueue>,
    served: Vec<Served>,
}

#[derive(Debug)]
struct NamedQueue {
    interface: String,
    queue: Queue,
    /// The most octets of a reply.
    max_payload: usize,
}

/// An address that sockets serve.
#[derive(Debug, Clone, Copy)]
pub(super) struct Served {
    address: SocketAddr,
    /// Its IPv6 sockets serve IPv4 as well.
    is_dual: bool,
    proxy_protocol: bool,
}

/// Threads that serve queues.
#[derive(Debug)]
pub(super) struct Server {
    interfaces: Vec<ServedInterface>,
    watch: JoinHandle<()>,
    end_of_watch: Stopper,
    end_of_queues: Stopper,
}

impl Config {
    fn of(&self, interface: &str) -> opentracker_xdp::Config {
        opentracker_xdp::Config {
            interface: interface.to_owned(),
            queues: self.queues.clone(),
            mode: self.mode,
            reserve: 0,
        }
    }

    /// Tries what can be tried while others use the interfaces.
    ///
    /// # Errors
    ///
    /// Why each of them that cannot be used cannot.
    pub fn check(&self) -> Vec<OpenError> {
        let interfaces = self.interfaces.iter();
        let checked = interfaces.map(|interface| Interface::check(&self.of(interface)));
        checked.filter_map(Result::err).collect()
    }
}

impl Served {
    pub(super) fn new(socket: &UdpSocket, address: SocketAddr, proxy_protocol: bool) -> Self {
        let is_v6_only = SockRef::from(socket).only_v6().unwrap_or(true);
        Self {
            address,
            is_dual: address.is_ipv6() && !is_v6_only,
            proxy_protocol,
        }
    }

    /// How surely the socket gets what is sent to an address of this host; `None` if it does not. As the
    /// kernel has it, one with an address goes before one without, and one of the family before one of
    /// both.
    fn rank(&self, ip: IpAddr, port: u16) -> Option<u8> {
        let own = self.address.ip();
        let is_family = own.is_ipv4() == ip.is_ipv4();
        match self.address.port() == port {
            true if own.to_canonical() == ip => Some(2),
            true if own.is_unspecified() && is_family => Some(1),
            true if own.is_unspecified() && self.is_dual => Some(0),
            _ => None,
        }
    }
}

/// Returns the addresses of this host by which frames are known for what they are: where the tags of
/// VLANs are taken off, a frame of a VLAN looks like any other, and the reply would go to another
/// network.
fn seen(addresses: &[Address], are_tags_off: bool) -> Vec<IpAddr> {
    let is_seen = |address: &&Address| !(are_tags_off && address.is_of_vlan);
    addresses
        .iter()
        .filter(is_seen)
        .map(|address| address.ip)
        .collect()
}

/// Returns the addresses and ports that are served without a proxy, at these addresses of the host.
fn goals<'a>(
    served: &'a [Served],
    addresses: &'a [IpAddr],
) -> impl Iterator<Item = SocketAddr> + 'a {
    let ports: BTreeSet<u16> = served.iter().map(|served| served.address.port()).collect();
    let goals = addresses
        .iter()
        .flat_map(move |ip| ports.clone().into_iter().map(move |port| (*ip, port)));
    let is_direct = |&(ip, port): &(IpAddr, u16)| {
        let ranked = served
            .iter()
            .filter_map(|served| Some((served.rank(ip, port)?, served)));
        let first = ranked.max_by_key(|(rank, _)| *rank);
        first.is_some_and(|(_, served)| !served.proxy_protocol)
    };
    goals.filter(is_direct).map(SocketAddr::from)
}

impl Opened {
    /// Opens the interfaces for what sockets serve.
    pub(super) fn open(config: &Config, served: Vec<Served>) -> Result<Self, OpenError> {
        let mut opened = Self {
            interfaces: Vec::new(),
            queues: Vec::new(),
            served,
        };
        for name in config.interfaces.iter().collect::<BTreeSet<_>>() {
            let (interface, queues) = Interface::open(&config.of(name))?;
            if let Some(cause) = interface.fallback() {
                tracing::warn!(
                    interface = %name, %cause,
                    "the driver does not run XDP, so it runs above the driver and gains little"
                );
            }
            let max_payload = interface.max_payload().min(PAYLOAD_OCTETS);
            let mode = interface.mode();
            tracing::info!(interface = %name, queues = queues.len(), %mode, "XDP is ready");
            opened
                .queues
                .extend(queues.into_iter().map(|queue| NamedQueue {
                    interface: name.clone(),
                    queue,
                    max_payload,
                }));
            opened.interfaces.push(interface);
        }
        Ok(opened)
    }

    pub(super) fn threads(&self) -> usize {
        self.queues.len()
    }

    /// Starts the threads.
    pub(super) fn serve(
        self,
        connections: &Arc<Connections>,
        max_payload: usize,
        mut worker: impl FnMut() -> Worker,
        (is_over, threads): (&Arc<AtomicBool>, &mut Vec<Thread>),
    ) -> io::Result<Server> {
        let (end_of_queues, queues_end) = stop()?;
        let served = |interface: &Interface| ServedInterface {
            name: interface.name().to_owned(),
            queues: interface.queues(),
            mode: interface.mode(),
        };
        let interfaces = self.interfaces.iter().map(served).collect();
        for named in self.queues {
            let name = format!("{}/{}", named.interface, named.queue.number());
            let listener: Arc<str> = format!("xdp://{name}").into();
            let connections = Arc::clone(connections);
            let max_payload = max_payload.min(named.max_payload);
            let mut serving = Serving {
                handler: Handler::new(worker(), connections, max_payload, &listener),
                queue: Exchange(named.queue),
                listener,
                stop: queues_end.clone(),
                is_over: Arc::clone(is_over),
                heartbeat: Heartbeat::default(),
            };
            let name = format!("xdp-{}-{}", named.interface, serving.queue.0.number());
            let heartbeat = serving.heartbeat.clone();
            let thread = Builder::new()
                .name(name.clone())
                .spawn(move || serving.run())?;
            threads.push(Thread {
                name,
                socket: None,
                heartbeat,
                thread,
            });
        }
        let (end_of_watch, watch_end) = stop()?;
        let mut watch = Watch::new(self.interfaces, self.served);
        watch.look();
        let watch = Builder::new().name("xdp-watch".to_owned()).spawn(move || {
            while !watch_end.wait(LOOK_INTERVAL) {
                watch.look();
            }
        })?;
        Ok(Server {
            interfaces,
            watch,
            end_of_watch,
            end_of_queues,
        })
    }
}

impl Server {
    pub(super) fn interfaces(&self) -> &[ServedInterface] {
        &self.interfaces
    }

    /// Takes the program off the interfaces, and wakes the threads, which are to end by then, when
    /// they have answered what they had.
    pub(super) fn shutdown(self) {
        drop(self.end_of_watch);
        if self.watch.join().is_err() {
            tracing::error!("the thread that watches interfaces has panicked");
        }
        drop(self.end_of_queues);
    }
}

/// What the thread of a queue has.
struct Serving {
    handler: Handler,
    queue: Exchange,
    listener: Arc<str>,
    stop: Stop,
    is_over: Arc<AtomicBool>,
    heartbeat: Heartbeat,
}

impl Serving {
    fn run(&mut self) {
        let registry = self.handler.worker().tracker().counters();
        let counters = registry.register_for(&self.listener);
        let durations = registry.register_histogram(&REQUEST_DURATION, "udp");
        let mut next_look = Instant::now();
        loop {
            self.heartbeat.beat();
            // What came before the program was taken off is answered.
            let is_over = self.is_over.load(Ordering::Relaxed);
            if let Err(error) = self.queue.0.receive(&self.stop, RECEIVE_TIMEOUT) {
                tracing::trace!(%error, "nothing received");
            }
            let now = Instant::now();
            if !self.queue.is_empty() {
                if tracing::enabled!(tracing::Level::TRACE) {
                    let full_addresses = self.handler.worker().rules().settings.full_addresses;
                    trace(&mut self.queue, full_addresses);
                }
                self.handler.handle_batch(&mut self.queue, now);
                let sent = self.queue.0.send();
                counters.add(Counter::Sent, sent.sent as u64);
                counters.add(Counter::SendFailed, sent.failed as u64);
                durations.observe(now.elapsed(), self.queue.len() as u64);
            } else if is_over {
                break;
            }
            if now >= next_look {
                next_look = now + LOOK_INTERVAL;
                let lost = self.queue.0.lost();
                counters.add(Counter::BadFrame, lost.malformed);
                counters.add(Counter::Overrun, lost.overrun);
            }
            self.handler.worker().handle_timeout(now);
        }
        self.handler.worker().flush(Instant::now());
    }
}

/// A batch of a queue as the handler takes it.
struct Exchange(Queue);

impl Datagrams for Exchange {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn exchange(&mut self, index: usize) -> Option<(&[u8], SocketAddr, &mut [u8])> {
        self.0.exchange(index)
    }

    fn reply(&mut self, index: usize, octets: usize) {
        self.0.reply(index, octets);
    }
}

/// Keeps watch on interfaces: which addresses are ours, and whether they are served.
struct Watch {
    interfaces: Vec<(Interface, State)>,
    served: Vec<Served>,
    network: Network,
}

/// How an interface was when it was last looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    link: LinkState,
    queues_left_out: usize,
    addresses_left_out: usize,
    /// Addresses of VLANs, whose tags it takes off.
    vlans_left_out: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LinkState {
    Running,
    Down,
    Gone,
}

impl Watch {
    fn new(interfaces: Vec<Interface>, served: Vec<Served>) -> Self {
        let well = State {
            link: LinkState::Running,
            queues_left_out: 0,
            addresses_left_out: 0,
            vlans_left_out: 0,
        };
        let interfaces = interfaces.into_iter().map(|interface| (interface, well));
        Self {
            interfaces: interfaces.collect(),
            served,
            network: Network::default(),
        }
    }

    /// Says anew what is taken, and logs what has changed.
    fn look(&mut self) {
        match self.network.look_again() {
            Ok(network) => self.network = network,
            Err(error) => {
                tracing::warn!(%error, "cannot look which addresses this host has");
                return;
            }
        }
        for (interface, state) in &mut self.interfaces {
            let now = State::of(interface, &self.network, &self.served);
            now.tell(*state, interface.name());
            *state = now;
        }
    }
}

impl State {
    /// Says anew what an interface takes, and returns how it is.
    fn of(interface: &Interface, network: &Network, served: &[Served]) -> Self {
        let Some(link) = interface.find_in(network) else {
            return Self {
                link: LinkState::Gone,
                queues_left_out: 0,
                addresses_left_out: 0,
                vlans_left_out: 0,
            };
        };
        let seen = seen(&network.addresses, interface.takes_tags_off());
        Self {
            link: match link.is_running {
                true => LinkState::Running,
                false => LinkState::Down,
            },
            queues_left_out: interface.queues_left_out(),
            addresses_left_out: interface.steer(link.address, goals(served, &seen)),
            vlans_left_out: network.addresses.len() - seen.len(),
        }
    }

    fn tell(self, before: Self, interface: &str) {
        if self.link != before.link {
            match self.link {
                LinkState::Running => tracing::info!(interface, "the interface of XDP is up"),
                LinkState::Down => tracing::warn!(interface, "the interface of XDP is down"),
                LinkState::Gone => tracing::warn!(
                    interface,
                    "the interface of XDP is gone: if it comes back the sockets serve it, until a \
                     restart"
                ),
            }
        }
        let left_out = self.queues_left_out;
        if left_out > before.queues_left_out {
            tracing::warn!(
                interface,
                left_out,
                "the interface has more queues than XDP serves: the sockets serve those, until a \
                 restart if udp.xdp.queues does not leave them out"
            );
        }
        let left_out = self.addresses_left_out;
        if left_out > before.addresses_left_out {
            tracing::warn!(
                interface,
                left_out,
                "this host has too many addresses for XDP: the sockets serve the others"
            );
        }
        let left_out = self.vlans_left_out;
        if left_out > before.vlans_left_out {
            tracing::warn!(
                interface,
                left_out,
                "the interface takes the tags of VLANs off, so the sockets serve addresses of VLANs: \
                 `ethtool --offload {interface} rxvlan off` leaves them to XDP"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(text: &str, is_dual: bool, proxy_protocol: bool) -> Served {
        Served {
            address: text.parse().unwrap(),
            is_dual,
            proxy_protocol,
        }
    }

    fn all(served: &[Served], addresses: &[&str]) -> Vec<String> {
        let addresses: Vec<_> = addresses.iter().map(|text| text.parse().unwrap()).collect();
        goals(served, &addresses)
            .map(|goal| goal.to_string())
            .collect()
    }

    const HOST: [&str; 3] = ["192.0.2.1", "192.0.2.2", "2001:db8::1"];

    #[test]
    fn wildcards_are_served_at_all_addresses_of_their_families() {
        assert_eq!(
            all(&[served("0.0.0.0:1", false, false)], &HOST),
            ["192.0.2.1:1", "192.0.2.2:1"]
        );
        let v6 = served("[::]:1", false, false);
        assert_eq!(all(&[v6], &HOST), ["[2001:db8::1]:1"]);
        let dual = served("[::]:1", true, false);
        assert_eq!(all(&[dual], &HOST).len(), 3);
        assert_eq!(all(&[dual, served("[::]:2", true, false)], &HOST).len(), 6);
    }

    #[test]
    fn addresses_of_vlans_are_left_to_the_sockets_where_tags_are_taken_off() {
        let of = |text: &str, is_of_vlan| Address {
            ip: text.parse().unwrap(),
            is_of_vlan,
        };
        let addresses = [of(HOST[0], false), of(HOST[1], true)];
        let ips = addresses.map(|address| address.ip);
        assert_eq!(seen(&addresses, false), ips);
        assert_eq!(seen(&addresses, true), ips[..1]);
    }

    #[test]
    fn an_address_that_the_host_does_not_have_is_not_served() {
        let own = served("192.0.2.1:1", false, false);
        assert_eq!(all(&[own], &HOST), ["192.0.2.1:1"]);
        assert_eq!(all(&[own], &HOST[1..]), [""; 0]);
        assert_eq!(all(&[], &HOST), [""; 0]);
    }

    #[test]
    fn what_is_for_proxies_is_left_to_the_sockets() {
        let proxied = served("192.0.2.1:1", false, true);
        let all_of = |listeners: &[Served]| all(listeners, &HOST);
        assert_eq!(all_of(&[proxied]), [""; 0]);
        // The more exact one decides.
        let wide = served("0.0.0.0:1", false, false);
        assert_eq!(all_of(&[wide, proxied]), ["192.0.2.2:1"]);
        let narrow = served("192.0.2.1:1", false, false);
        let wide = served("[::]:1", true, true);
        assert_eq!(all_of(&[narrow, wide]), ["192.0.2.1:1"]);
    }
}
