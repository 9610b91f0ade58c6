//! The first step: is this computer connected, through which interface, and who is its gateway? Read from what Linux
//! says in files; on other systems nothing is known and the facts are absent.

use std::{
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
};

/// Route flag: usable.
const RTF_UP: u32 = 0x1;
/// Route flag: leads through a gateway.
const RTF_GATEWAY: u32 = 0x2;

/// Where the kernel's files are: `/`, or a tree of a test.
#[derive(Debug, Clone)]
pub(super) struct Kernel {
    routes: PathBuf,
    interfaces: PathBuf,
}

/// What is known of the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    /// The interface that leads out, or should.
    pub(super) interface: Option<String>,
    /// Whether it carries a signal.
    pub(super) up: bool,
    /// The router, if packets leave through one.
    pub(super) gateway: Option<Ipv4Addr>,
}

/// A route to everywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
struct DefaultRoute {
    interface: String,
    gateway: Option<Ipv4Addr>,
    metric: u32,
}

impl Kernel {
    pub(super) fn at(root: &Path) -> Self {
        Self { routes: root.join("proc/net/route"), interfaces: root.join("sys/class/net") }
    }

    /// The connection by `wanted`, or by the interface of the best default route, or else by whichever could have one.
    /// `None` where the system does not say.
    pub(super) fn link(&self, wanted: Option<&str>) -> Option<Link> {
        let known = self.interfaces();
        if known.is_empty() {
            return None;
        }
        let routes = fs::read_to_string(&self.routes).unwrap_or_default();
        let route = best_default_route(&routes, wanted);
        let interface = match (wanted, &route) {
            (Some(wanted), _) => Some(wanted.to_owned()),
            (None, Some(route)) => Some(route.interface.clone()),
            (None, None) => known.into_iter().max_by_key(|name| (self.is_up(name), self.is_hardware(name))),
        };
        let up = interface.as_deref().is_some_and(|name| self.is_up(name));
        Some(Link { interface, up, gateway: route.and_then(|route| route.gateway) })
    }

    /// All interfaces except the loopback, in a stable order.
    fn interfaces(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(&self.interfaces) else { return Vec::new() };
        let mut names: Vec<String> =
            entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).filter(|n| n != "lo").collect();
        names.sort_unstable();
        names
    }

    /// Tunnels and some drivers do not keep an `operstate`: for these the carrier decides.
    fn is_up(&self, interface: &str) -> bool {
        let said = |file: &str| fs::read_to_string(self.interfaces.join(interface).join(file)).unwrap_or_default();
        match said("operstate").trim() {
            "up" => true,
            "unknown" => said("carrier").trim() == "1",
            _ => false,
        }
    }

    /// Whether it is a card, not a bridge or tunnel.
    fn is_hardware(&self, interface: &str) -> bool {
        self.interfaces.join(interface).join("device").exists()
    }
}

/// The default route of the lowest metric in a `/proc/net/route`, through `interface` if one is given.
fn best_default_route(text: &str, interface: Option<&str>) -> Option<DefaultRoute> {
    text.lines()
        .skip(1)
        .filter_map(default_route)
        .filter(|route| interface.is_none_or(|wanted| wanted == route.interface))
        .min_by_key(|route| route.metric)
}

/// A line `Iface Destination Gateway Flags RefCnt Use Metric Mask …`, if it is a default route in use.
fn default_route(line: &str) -> Option<DefaultRoute> {
    let columns: Vec<&str> = line.split_ascii_whitespace().take(8).collect();
    let &[interface, destination, gateway, flags, _, _, metric, mask] = columns.as_slice() else { return None };
    let hex = |column| u32::from_str_radix(column, 16).ok();
    let flags = hex(flags)?;
    if hex(destination)? != 0 || hex(mask)? != 0 || flags & RTF_UP == 0 {
        return None;
    }
    // The kernel prints the four bytes of the address as one number of this machine's byte order.
    let gateway = Ipv4Addr::from(hex(gateway)?.to_ne_bytes());
    Some(DefaultRoute {
        interface: interface.to_owned(),
        gateway: (flags & RTF_GATEWAY != 0).then_some(gateway),
        metric: metric.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tempfile::TempDir;

    use super::*;

    const HEADER: &str = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n";

    fn route_line(interface: &str, destination: [u8; 4], gateway: [u8; 4], flags: u32, metric: u32) -> String {
        let (destination, gateway) = (u32::from_ne_bytes(destination), u32::from_ne_bytes(gateway));
        let mask = if destination == 0 { 0 } else { u32::MAX };
        format!("{interface}\t{destination:08X}\t{gateway:08X}\t{flags:04X}\t0\t0\t{metric}\t{mask:08X}\t0\t0\t0\n")
    }

    fn machine(interfaces: &[(&str, &str, &str)], routes: &str) -> (TempDir, Kernel) {
        let root = tempfile::tempdir().unwrap();
        let kernel = Kernel::at(root.path());
        fs::create_dir_all(kernel.routes.parent().unwrap()).unwrap();
        fs::write(&kernel.routes, format!("{HEADER}{routes}")).unwrap();
        for (name, operstate, carrier) in interfaces {
            let folder = kernel.interfaces.join(name);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("operstate"), format!("{operstate}\n")).unwrap();
            fs::write(folder.join("carrier"), format!("{carrier}\n")).unwrap();
        }
        (root, kernel)
    }

    fn link(interface: &str, up: bool, gateway: Option<[u8; 4]>) -> Link {
        Link { interface: Some(interface.into()), up, gateway: gateway.map(Ipv4Addr::from) }
    }

    #[test]
    fn the_default_route_of_the_lowest_metric_leads_out() {
        let routes = route_line("wlan0", [0; 4], [10, 0, 0, 1], 3, 600)
            + &route_line("eth0", [0; 4], [192, 168, 1, 1], 3, 100)
            + &route_line("eth0", [192, 168, 1, 0], [0; 4], 1, 0);
        let (_root, kernel) = machine(&[("lo", "unknown", "1"), ("eth0", "up", "1"), ("wlan0", "up", "1")], &routes);
        assert_eq!(kernel.link(None), Some(link("eth0", true, Some([192, 168, 1, 1]))));
        assert_eq!(kernel.link(Some("wlan0")), Some(link("wlan0", true, Some([10, 0, 0, 1]))));
        assert_eq!(kernel.link(Some("eth9")), Some(link("eth9", false, None)));
    }

    #[test]
    fn a_pulled_cable_is_a_link_that_is_down_and_has_no_gateway() {
        let (_root, kernel) = machine(&[("lo", "unknown", "1"), ("eth0", "down", "0")], "");
        assert_eq!(kernel.link(None), Some(link("eth0", false, None)));
    }

    #[test]
    fn a_tunnel_without_a_router_is_up_by_its_carrier() {
        let routes = route_line("ppp0", [0; 4], [0; 4], 1, 0);
        let (_root, kernel) = machine(&[("eth0", "down", "0"), ("ppp0", "unknown", "1")], &routes);
        assert_eq!(kernel.link(None), Some(link("ppp0", true, None)));
    }

    #[test]
    fn a_system_that_does_not_say_gives_no_link() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(Kernel::at(root.path()).link(None), None);
    }

    proptest! {
        #[test]
        fn a_default_route_reads_back_as_written(gateway: [u8; 4], metric: u32, name in "[a-z]{1,8}[0-9]") {
            let text = format!("{HEADER}{}", route_line(&name, [0; 4], gateway, 3, metric));
            let route = DefaultRoute { interface: name, gateway: Some(gateway.into()), metric };
            prop_assert_eq!(best_default_route(&text, None), Some(route));
        }

        #[test]
        fn any_text_has_a_default_route_or_none(text in "(Iface.*\n)?([ -~\t\n]|0000|\\PC){0,200}") {
            if let Some(route) = best_default_route(&text, None) {
                prop_assert!(text.contains(&route.interface));
            }
        }
    }
}
