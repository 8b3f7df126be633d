//! The one interface of the namespace and the routes that lead every address to it.
//!
//! Owns the netlink messages. Works in the network namespace of the calling thread, and refuses one that has any
//! interface besides `lo`.

use std::{
    fs, io,
    net::{Ipv4Addr, Ipv6Addr},
    os::fd::{AsRawFd, OwnedFd},
};

use netlink_packet_core::{
    Emitable, ErrorBuffer, NLM_F_ACK, NLM_F_CREATE, NLM_F_REPLACE, NLM_F_REQUEST, NLMSG_ERROR,
    NetlinkBuffer, NetlinkHeader,
};
use netlink_packet_route::{
    AddressFamily,
    link::{LinkFlags, LinkMessage},
    route::{
        RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope,
        RouteType,
    },
};
use nix::{
    net::if_::if_nametoindex,
    sys::socket::{
        AddressFamily as Family, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv,
        sendto, socket,
    },
};

const RTM_NEWLINK: u16 = 16;
const RTM_NEWROUTE: u16 = 24;
/// The kernel's table of what is local; `local` routes belong there.
const RT_TABLE_LOCAL: u8 = 255;

/// Why the wires cannot be laid.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The namespace has interfaces besides `lo`, or they cannot be listed: packets could leave.
    #[error("the network is not a private one: {0}")]
    NotPrivate(String),
    /// The kernel refuses a step.
    #[error("the kernel refuses to {step}")]
    Refused {
        /// What was asked for.
        step: &'static str,
        /// Its answer.
        source: io::Error,
    },
}

/// What the wires can carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wires {
    /// Why IPv6 does not work; `None` where it does.
    pub(super) no_ipv6: Option<String>,
}

/// Brings `lo` up and makes every address local.
pub(super) fn lay() -> Result<Wires, WireError> {
    only_lo()?;
    let refused = |step| move |source| WireError::Refused { step, source };
    let lo = if_nametoindex("lo").map_err(|e| refused("find lo")(e.into()))?;
    let mut netlink = Netlink::open().map_err(refused("open a netlink socket"))?;
    // New namespaces inherit this from the first one on some hosts. Without IPv6 the file is not there.
    for interface in ["all", "lo"] {
        let _ = fs::write(
            format!("/proc/sys/net/ipv6/conf/{interface}/disable_ipv6"),
            "0",
        );
    }
    // What a host of today allows: ping without privilege. It is refused by default in a new namespace.
    let _ = fs::write("/proc/sys/net/ipv4/ping_group_range", "0 2147483647");
    let mut up = LinkMessage::default();
    up.header.index = lo;
    up.header.flags = LinkFlags::Up;
    up.header.change_mask = LinkFlags::Up;
    netlink
        .ask(RTM_NEWLINK, 0, &up)
        .map_err(refused("bring lo up"))?;
    let any = RouteAddress::Inet(Ipv4Addr::UNSPECIFIED);
    netlink
        .ask(RTM_NEWROUTE, CREATE, &everything(any, lo))
        .map_err(refused("route all of IPv4 to lo"))?;
    let any = RouteAddress::Inet6(Ipv6Addr::UNSPECIFIED);
    let ipv6 = netlink.ask(RTM_NEWROUTE, CREATE, &everything(any, lo));
    Ok(Wires {
        no_ipv6: ipv6
            .err()
            .map(|error| format!("IPv6 has no route: {error}")),
    })
}

/// Nothing but `lo` is in this namespace.
pub(super) fn only_lo() -> Result<(), WireError> {
    let text = fs::read_to_string("/proc/self/net/dev")
        .map_err(|error| WireError::NotPrivate(format!("/proc/self/net/dev: {error}")))?;
    let names: Vec<&str> = text
        .lines()
        .skip(2)
        .filter_map(|line| line.split_once(':'))
        .map(|(name, _)| name.trim())
        .collect();
    if names == ["lo"] {
        Ok(())
    } else {
        Err(WireError::NotPrivate(format!(
            "its interfaces are {}",
            names.join(", ")
        )))
    }
}

const CREATE: u16 = NLM_F_CREATE | NLM_F_REPLACE;

/// `local 0.0.0.0/0 dev lo`, or the same for IPv6.
fn everything(any: RouteAddress, lo: u32) -> RouteMessage {
    let mut route = RouteMessage::default();
    route.header = RouteHeader {
        address_family: match any {
            RouteAddress::Inet6(_) => AddressFamily::Inet6,
            _ => AddressFamily::Inet,
        },
        table: RT_TABLE_LOCAL,
        protocol: RouteProtocol::Static,
        scope: RouteScope::Host,
        kind: RouteType::Local,
        ..RouteHeader::default()
    };
    route.attributes = vec![RouteAttribute::Destination(any), RouteAttribute::Oif(lo)];
    route
}

struct Netlink {
    socket: OwnedFd,
    sequence: u32,
}

impl Netlink {
    fn open() -> io::Result<Self> {
        let socket = socket(
            Family::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::NetlinkRoute,
        )?;
        Ok(Self {
            socket,
            sequence: 0,
        })
    }

    /// Sends one request and reads the kernel's answer to it.
    fn ask(&mut self, message_type: u16, flags: u16, message: &impl Emitable) -> io::Result<()> {
        self.sequence += 1;
        let mut header = NetlinkHeader::default();
        let head = header.buffer_len();
        let length = head + message.buffer_len();
        header.length = u32::try_from(length).map_err(io::Error::other)?;
        header.message_type = message_type;
        header.flags = NLM_F_REQUEST | NLM_F_ACK | flags;
        header.sequence_number = self.sequence;
        let mut bytes = vec![0; length];
        header.emit(&mut bytes);
        message.emit(&mut bytes[head..]);
        let socket = self.socket.as_raw_fd();
        sendto(socket, &bytes, &NetlinkAddr::new(0, 0), MsgFlags::empty())?;
        loop {
            let mut answer = [0; 4096];
            let length = recv(socket, &mut answer, MsgFlags::empty())?;
            let answer = NetlinkBuffer::new_checked(&answer[..length]).map_err(io::Error::other)?;
            if answer.sequence_number() != self.sequence || answer.message_type() != NLMSG_ERROR {
                continue;
            }
            let answer = ErrorBuffer::new_checked(answer.payload()).map_err(io::Error::other)?;
            return match answer.code() {
                None => Ok(()),
                Some(code) => Err(io::Error::from_raw_os_error(-code.get())),
            };
        }
    }
}
