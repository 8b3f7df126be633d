//! The defective readings of URLs and hosts: what is checked is not what is connected.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use percent_encoding::percent_decode_str;
use tokio::net::UnixStream;
use url::Url;

use super::anywhere;
use crate::reference::Flaw;
use crate::reference::net::{
    Asked, Host, Net, Pattern, Place, Purpose, Reply, Stream, Verdict, exchange, read_url, request,
};
use crate::reference::refusal::Refusal;

/// Ports of schemes that [`Flaw::NetSchemeAny`] connects.
const PORTS: [(&str, u16); 9] = [
    ("dict", 2628),
    ("ftp", 21),
    ("gopher", 70),
    ("ldap", 389),
    ("sftp", 22),
    ("smb", 445),
    ("tftp", 69),
    ("ws", 80),
    ("wss", 443),
];

/// The host of a URL, cut out of the text: behind the last `@` of the authority, without a port. A text without `//` is
/// a host already.
pub(super) fn written_host(text: &str) -> &str {
    let Some((_, rest)) = text.split_once("//") else {
        return text;
    };
    let authority = rest.split(['/', '\\', '?', '#']).next().unwrap_or(rest);
    let host = authority.rsplit('@').next().unwrap_or(authority);
    without_port(host)
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !host.ends_with(']') && port.bytes().all(|b| b.is_ascii_digit()) => {
            name
        }
        _ => host,
    }
}

/// Whether the policy permits a host that a defective check took for the one that is meant. A name passes when the
/// rules for names do not refuse it.
fn permitted(net: &Net, text: &str) -> bool {
    match Host::read(text) {
        Ok(Host::Address(address)) => net.rules.permit(address, false),
        Ok(Host::Name(name)) => {
            let names = |pattern: &Pattern| !matches!(pattern, Pattern::Range(_));
            match net.rules.of_name(&name) {
                Verdict::Allow => true,
                Verdict::Deny => false,
                Verdict::Unnamed => !net
                    .rules
                    .all
                    .iter()
                    .any(|rule| rule.allow && names(&rule.pattern)),
            }
        }
        Err(_) => false,
    }
}

/// Whether a spelling makes a defective check let the host through.
pub(super) fn passes(net: &Net, asked: Asked<'_>) -> bool {
    let written = written_host(asked.written);
    match asked.host {
        Host::Address(IpAddr::V4(address)) => {
            let plain = written.parse::<Ipv4Addr>().is_ok();
            if (net.has(Flaw::NetDecimalIp) && !plain)
                || (net.has(Flaw::NetOctalIp)
                    && as_decimal(written).is_some_and(|read| {
                        read != *address && net.rules.permit(read.into(), false)
                    }))
            {
                return true;
            }
        }
        Host::Address(IpAddr::V6(_)) | Host::Name(_) => {}
    }
    (net.has(Flaw::NetLoopbackLiteral) && unusual_loopback(asked.host, written))
        || (net.has(Flaw::NetUrlRegex)
            && matches!(asked.purpose, Purpose::Fetch | Purpose::Redirect)
            && by_pattern(asked.written).iter().any(|host| {
                Host::read(host).ok().as_ref() != Some(asked.host) && permitted(net, host)
            }))
}

/// [`Flaw::NetOctalIp`]: a dotted quad, every octet decimal.
fn as_decimal(written: &str) -> Option<Ipv4Addr> {
    let octets: Vec<u8> = written
        .split('.')
        .map(|octet| {
            let digits = octet.bytes().all(|byte| byte.is_ascii_digit());
            octet.parse().ok().filter(|_| digits)
        })
        .collect::<Option<_>>()?;
    <[u8; 4]>::try_from(octets).ok().map(Ipv4Addr::from)
}

/// [`Flaw::NetLoopbackLiteral`].
fn unusual_loopback(host: &Host, written: &str) -> bool {
    let loopback = match host {
        Host::Address(address) => address.is_loopback() || address.is_unspecified(),
        Host::Name(name) => name == "localhost" || name.ends_with(".localhost"),
    };
    loopback && !["127.0.0.1", "localhost"].contains(&written)
}

/// [`Flaw::NetUrlRegex`]: the hosts that two common patterns find in a URL, without regard to where its authority ends.
fn by_pattern(text: &str) -> [&str; 2] {
    let rest = text.split_once(':').map_or(text, |(_, rest)| rest);
    let rest = rest.trim_start_matches('/');
    let ends: &[char] = &['/', '?', '#', '@', ':', '\\'];
    let before = rest.split(ends).next().unwrap_or(rest);
    let behind = rest.rsplit('@').next().unwrap_or(rest);
    [before, behind.split(ends).next().unwrap_or(behind)]
}

/// [`Flaw::DnsIpName`]: `10-0-0-5.…`, `x-10-0-0-5.…`, `10.0.0.5.…` or `0a000005.…`.
pub(super) fn address_in_name(name: &str) -> Option<IpAddr> {
    let labels: Vec<&str> = name.split('.').collect();
    let quad = |parts: &[&str]| -> Option<IpAddr> {
        let octets: Vec<u8> = parts
            .iter()
            .map(|part| part.parse().ok())
            .collect::<Option<_>>()?;
        Some(Ipv4Addr::from(<[u8; 4]>::try_from(octets).ok()?).into())
    };
    let dashed = labels.iter().find_map(|label| {
        let parts: Vec<&str> = label.split(['-', '_']).collect();
        parts.windows(4).find_map(quad)
    });
    let hex = || {
        labels.iter().find_map(|label| {
            let digits = label.len() == 8 && label.bytes().all(|byte| byte.is_ascii_hexdigit());
            let number = u32::from_str_radix(label, 16).ok().filter(|_| digits)?;
            Some(Ipv4Addr::from(number).into())
        })
    };
    dashed
        .or_else(|| labels.windows(4).find_map(quad))
        .or_else(hex)
}

/// The host before a NUL and the whole of it, if there is one.
fn cut(host: &str) -> Option<(String, String)> {
    let whole = percent_decode_str(host).decode_utf8_lossy().into_owned();
    let (before, _) = whole.split_once('\0')?;
    Some((before.to_owned(), whole.replace('\0', "")))
}

/// [`Flaw::NetNulTruncate`] of a host: the addresses of what precedes the NUL, if the rest passes.
pub(in crate::reference) async fn cut_host(
    net: &Net,
    host: &str,
) -> Option<Result<Vec<IpAddr>, Refusal>> {
    if !net.has(Flaw::NetNulTruncate) {
        return None;
    }
    let (before, whole) = cut(host)?;
    if !permitted(net, &whole) {
        return Some(Err(Refusal::Host));
    }
    Some(match Host::read(&before) {
        Ok(host) => anywhere(net, &host).await,
        Err(refusal) => Err(refusal),
    })
}

/// What flaws make of URLs that the sound server would not read at all.
pub(in crate::reference) async fn odd_url(net: &Net, text: &str) -> Option<Result<Reply, Refusal>> {
    let text = text.trim();
    let lower = text.to_lowercase();
    if net.has(Flaw::NetSchemeFile) && lower.starts_with("file:") {
        return Some(match Url::parse(text) {
            Ok(url) => read_file(&url),
            Err(_) => Err(Refusal::Scheme),
        });
    }
    if net.has(Flaw::NetPortWraps)
        && let Some(url) = wrapped_port(text)
    {
        return Some(wrapped(net, &url).await);
    }
    if net.has(Flaw::NetUnixSocket)
        && let Some((socket, path)) = unix_socket(text)
    {
        return Some(ask_socket(net, &socket, &path).await);
    }
    if net.has(Flaw::NetNulTruncate) {
        let addresses = cut_host(net, written_host(text)).await?;
        let (before, _) = cut(written_host(text))?;
        let url = text.replacen(written_host(text), &before, 1);
        return Some(match (addresses, Url::parse(&url)) {
            (Ok(addresses), Ok(url)) => send(net, &url, &addresses).await,
            (Err(refusal), _) => Err(refusal),
            (_, Err(_)) => Err(Refusal::invalid("Invalid URL")),
        });
    }
    let wrapped = ["url:", "jar:", "view-source:"]
        .iter()
        .any(|prefix| lower.starts_with(prefix));
    if net.has(Flaw::NetSchemeAny) && !lower.starts_with("http:") && !lower.starts_with("https:") {
        let url = match wrapped {
            true => &text[text.find(':')? + 1..],
            false => text,
        };
        return Some(any_scheme(net, url).await);
    }
    None
}

/// The URL with its port above 65535 as 16 bits have it.
fn wrapped_port(text: &str) -> Option<String> {
    let authority = text.split_once("://")?.1.split(['/', '?', '#']).next()?;
    let (_, port) = authority.rsplit_once(':')?;
    let number: u32 = port.parse().ok().filter(|number| *number > 65535)?;
    Some(text.replacen(&format!(":{port}"), &format!(":{}", number % 65536), 1))
}

/// [`Flaw::NetPortWraps`]: the host is checked, the port is not.
async fn wrapped(net: &Net, text: &str) -> Result<Reply, Refusal> {
    let url = read_url(text)?;
    let place = Place::of(&url)?;
    let addresses = net
        .admit(Asked {
            host: &place.host,
            written: text,
            purpose: Purpose::Fetch,
        })
        .await?;
    net.send(&place, &addresses, &Vec::new()).await
}

/// Sends a plain request to these addresses.
async fn send(net: &Net, url: &Url, addresses: &[IpAddr]) -> Result<Reply, Refusal> {
    net.send(&Place::of(url)?, addresses, &Vec::new()).await
}

/// [`Flaw::NetSchemeAny`]: whatever the scheme, its host is connected, literal addresses unchecked, and the rest of
/// the URL is sent raw.
async fn any_scheme(net: &Net, text: &str) -> Result<Reply, Refusal> {
    let url = read_url(text)?;
    let host = url.host_str().ok_or(Refusal::Scheme)?;
    let literal = host.trim_matches(['[', ']']).parse::<IpAddr>();
    let addresses = match literal {
        Ok(address) if !matches!(url.scheme(), "http" | "https") => vec![address],
        _ => {
            let asked = Asked {
                host: &Host::read(host)?,
                written: text,
                purpose: Purpose::Fetch,
            };
            net.admit(asked).await?
        }
    };
    if matches!(url.scheme(), "http" | "https") {
        return send(net, &url, &addresses).await;
    }
    let known = PORTS.iter().find(|(scheme, _)| *scheme == url.scheme());
    let port = url.port().or(known.map(|(_, port)| *port)).unwrap_or(80);
    let mut stream = net.connect(&addresses, port).await?;
    let raw = percent_decode_str(url.path().trim_start_matches('/')).collect::<Vec<u8>>();
    raw_exchange(&mut stream, &raw).await
}

/// Sends bytes and takes whatever comes back soon.
async fn raw_exchange(stream: &mut dyn Stream, bytes: &[u8]) -> Result<Reply, Refusal> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let lost = |_| Refusal::Unreachable;
    stream.write_all(bytes).await.map_err(lost)?;
    stream.write_all(b"\r\n").await.map_err(lost)?;
    let mut body = vec![0; 4096];
    let soon = std::time::Duration::from_millis(500);
    let length = match tokio::time::timeout(soon, stream.read(&mut body)).await {
        Ok(read) => read.map_err(lost)?,
        Err(_) => 0,
    };
    body.truncate(length);
    Ok(reply(body))
}

fn reply(body: Vec<u8>) -> Reply {
    Reply {
        status: 200,
        headers: Vec::new(),
        body,
    }
}

/// Reads the file of a `file:` URL.
pub(super) fn read_file(url: &Url) -> Result<Reply, Refusal> {
    let path = url.to_file_path().map_err(|()| Refusal::Scheme)?;
    Ok(reply(std::fs::read(path)?))
}

/// [`Flaw::NetUnixSocket`]: the socket and the path of `unix:/socket`, `http://unix:/socket:/path` and
/// `http+unix://%2Fsocket/path`.
fn unix_socket(text: &str) -> Option<(String, String)> {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    if let Some(rest) = text.strip_prefix("http+unix://") {
        let (socket, path) = rest.split_once('/').unwrap_or((rest, ""));
        return Some((decoded(socket), format!("/{path}")));
    }
    let rest = text
        .strip_prefix("http://unix:")
        .or_else(|| text.strip_prefix("unix:"))?;
    let rest = match rest.strip_prefix("//") {
        Some(rest) => rest,
        None => rest,
    };
    let (socket, path) = rest.split_once(':').unwrap_or((rest, "/"));
    Some((decoded(socket), path.to_owned()))
}

async fn ask_socket(net: &Net, socket: &str, path: &str) -> Result<Reply, Refusal> {
    let mut stream = UnixStream::connect(Path::new(socket))
        .await
        .map_err(|_| Refusal::Unreachable)?;
    let request = request(path, "localhost", &Vec::new());
    exchange(&mut stream, net.clock, &request).await
}

/// [`Flaw::NetCrlf`]: the URL as it is once its line ends are left out.
pub(in crate::reference) fn url_without_controls(
    net: &Net,
    text: &str,
) -> Option<Result<Url, Refusal>> {
    let clean: String = text.chars().filter(|c| !c.is_control()).collect();
    net.has(Flaw::NetCrlf).then(|| read_url(&clean))
}

/// [`Flaw::NetCrlf`]: the path as it was written, line ends and all.
pub(in crate::reference) fn put_raw_path(net: &Net, written: &str, place: &mut Place) {
    if !net.has(Flaw::NetCrlf) {
        return;
    }
    let rest = written.split_once("//").map_or(written, |(_, rest)| rest);
    let path = rest.find(['/', '?']).map_or("/", |at| &rest[at..]);
    let path = path.split('#').next().unwrap_or(path);
    place.path = percent_decode_str(path).decode_utf8_lossy().into_owned();
}
