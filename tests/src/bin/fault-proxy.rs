//! A TCP proxy that does to connections what bad networks do; for trying equipment, agents and brokers by hand.

#![expect(clippy::print_stdout, reason = "it answers whoever drives it on its standard output")]

use std::{
    io::{self, BufRead},
    net::SocketAddr,
};

use anyhow::{Context, Result};
use clap::Parser;
use lobby_tests::proxy::{Faults, Proxy};

const ORDERS: &str = "\
Orders, one a line on the standard input; each is answered by `ok` or `error`:
  all FAULT...      what every connection suffers from now on
  NUMBER FAULT...   what one connection suffers from now on
  reset             reset every open connection now
  list              every connection so far: number, age in ms, bytes to server, bytes to client
  quit              end (as the end of the input does)

Example: fault-proxy --target 127.0.0.1:1883 latency=2s slice=1";

/// Stands between clients and a TCP server and does to their connections what bad networks do.
#[derive(Parser)]
#[command(name = "fault-proxy", after_help = format!("Faults, also several at once:\n{}\n\n{ORDERS}", Faults::HELP))]
struct Arguments {
    /// Where to listen; port 0 lets the system choose.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The server.
    #[arg(long)]
    target: SocketAddr,
    /// What every connection suffers from the start.
    faults: Vec<String>,
}

fn main() -> Result<()> {
    let Arguments { listen, target, faults } = Arguments::parse();
    let faults: Faults = faults.join(" ").parse()?;
    let proxy = Proxy::listen(listen, target)?;
    proxy.inflict(faults);
    println!("listening on {} for {target}: {faults}", proxy.address());
    for line in io::stdin().lock().lines() {
        let line = line.context("read an order")?;
        match line.trim() {
            "" => {}
            "quit" => break,
            order => match obey(&proxy, order) {
                Ok(answer) => println!("{answer}"),
                Err(problem) => println!("error {problem:#}"),
            },
        }
    }
    Ok(())
}

fn obey(proxy: &Proxy, order: &str) -> Result<String> {
    let (whom, faults) = order.split_once(' ').unwrap_or((order, ""));
    match whom {
        "reset" => proxy.reset(),
        "list" => {
            for seen in proxy.seen() {
                let state = if seen.open { "open" } else { "over" };
                println!("{} {} {} {} {state}", seen.id, seen.opened.as_millis(), seen.to_server, seen.to_client);
            }
        }
        "all" => proxy.inflict(faults.parse()?),
        number => {
            let id = number.parse().with_context(|| format!("`{number}` is no order: see --help"))?;
            anyhow::ensure!(proxy.inflict_on(id, faults.parse()?), "there is no connection {id}");
        }
    }
    Ok(format!("ok {order}"))
}
