//! E-mail by SMTP. Each receiver has an envelope of its own, so that one that is refused does not keep the others from theirs; a repeat
//! carries the same `Message-ID`.

use std::time::{Duration, UNIX_EPOCH};

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    address::Envelope,
    message::{
        SinglePart,
        header::{ContentType, HeaderName, HeaderValue},
    },
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, CertificateStore, Tls, TlsParameters},
    },
};
use lobby_domain::time::Timestamp;
use tokio::time::timeout;

use super::{
    Channel, Letter,
    http::{HttpError, addresses},
    outcome::{Outcome, Result},
    settings::{Mail, MailTls},
};

/// Most bytes of a text.
pub(super) const MOST: usize = 100_000;

/// Why nothing can be sent.
#[derive(Debug, thiserror::Error)]
enum MailError {
    #[error("the message cannot be written")]
    Message(#[from] lettre::error::Error),
    #[error("TLS cannot be set up")]
    Tls(#[from] lettre::transport::smtp::Error),
    #[error("the certificates to trust cannot be read")]
    Roots(#[source] std::io::Error),
    #[error("the password cannot be read")]
    Secret(#[from] super::secret::SecretError),
    #[error(transparent)]
    Address(#[from] HttpError),
    #[error("the server's name leads nowhere")]
    NoAddress,
}

pub(super) async fn send(channel: &Channel, mail: &Mail, letter: &Letter, now: Timestamp) -> Result {
    match prepared(channel, mail, letter, now).await {
        Ok((transport, message)) => to_all(channel, mail, &transport, &message).await,
        Err(MailError::Address(error)) => error.into(),
        Err(error) => {
            let passes = matches!(error, MailError::NoAddress | MailError::Secret(_) | MailError::Roots(_));
            let outcome = if passes { Outcome::Later(None) } else { Outcome::Refused };
            Result::new(outcome, &format!("{:#}", anyhow::Error::from(error)))
        }
    }
}

type Transport = AsyncSmtpTransport<Tokio1Executor>;

async fn prepared(
    channel: &Channel,
    mail: &Mail,
    letter: &Letter,
    now: Timestamp,
) -> std::result::Result<(Transport, Message), MailError> {
    let message = message(mail, letter, &channel.keyword, now)?;
    let looked_up = timeout(channel.timeout, addresses(channel, &mail.host, mail.port)).await;
    let address = looked_up.map_err(|_| MailError::NoAddress)??.first().map(std::net::SocketAddr::ip);
    // The address that was looked at, and no other that the name may lead to a moment later; TLS is told the name.
    let address = address.ok_or(MailError::NoAddress)?;
    let tls = match mail.tls {
        MailTls::None => Tls::None,
        MailTls::Starttls => Tls::Required(parameters(channel, mail)?),
        MailTls::Implicit => Tls::Wrapper(parameters(channel, mail)?),
    };
    let mut builder =
        Transport::builder_dangerous(address.to_string()).port(mail.port).tls(tls).timeout(Some(channel.timeout));
    if let (Some(user), Some(secret)) = (&mail.user, &mail.secret) {
        builder = builder.credentials(Credentials::new(user.clone(), secret.read()?));
    }
    Ok((builder.build(), message))
}

fn parameters(channel: &Channel, mail: &Mail) -> std::result::Result<TlsParameters, MailError> {
    let mut builder = TlsParameters::builder(mail.host.clone());
    if let Some(file) = &channel.ca_file {
        let text = std::fs::read(file).map_err(MailError::Roots)?;
        builder = builder.certificate_store(CertificateStore::None).add_root_certificate(Certificate::from_pem(&text)?);
    }
    Ok(builder.build_rustls()?)
}

fn message(mail: &Mail, letter: &Letter, keyword: &str, now: Timestamp) -> std::result::Result<Message, MailError> {
    let mut builder = Message::builder()
        .from(mail.from.clone())
        .subject(format!("{keyword}{}", letter.title))
        .message_id(Some(format!("<{}@{}>", letter.id, mail.from.email.domain())))
        .date(UNIX_EPOCH + Duration::from_millis(now.millis().unsigned_abs()));
    for to in &mail.to {
        builder = builder.to(to.clone());
    }
    let text = SinglePart::builder().header(ContentType::TEXT_PLAIN).body(letter.text_within(keyword, MOST));
    let mut message = builder.singlepart(text)?;
    // Nobody's absence notice is wanted.
    let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
    message.headers_mut().insert_raw(HeaderValue::new(automatic, "auto-generated".to_owned()));
    Ok(message)
}

async fn to_all(channel: &Channel, mail: &Mail, transport: &Transport, message: &Message) -> Result {
    let body = message.formatted();
    let (mut taken, mut later, mut refused) = (0, None, Vec::new());
    for to in &mail.to {
        let envelope = Envelope::new(Some(mail.from.email.clone()), vec![to.email.clone()]);
        let envelope = match envelope.map_err(MailError::Message) {
            Ok(envelope) => envelope,
            Err(error) => return Result::new(Outcome::Refused, &error.to_string()),
        };
        // Several exchanges make one delivery: the limit is for the whole of it.
        match timeout(channel.timeout.saturating_mul(2), transport.send_raw(&envelope, &body)).await {
            Ok(Ok(_)) => taken += 1,
            Ok(Err(error)) if error.is_permanent() => refused.push(told(&error)),
            Ok(Err(error)) => later = Some((told(&error), error.is_timeout())),
            Err(_) => later = Some(("no answer in time".to_owned(), true)),
        }
        if later.is_some() {
            // The rest would fare no better, and the lease is counted for one exchange.
            break;
        }
    }
    match (later, taken) {
        (Some((said, doubt)), taken) => {
            Result { heard: taken > 0 || doubt, ..Result::new(Outcome::Later(None), &said) }
        }
        (None, 0) => Result::new(Outcome::Refused, &refused.join("; ")),
        (None, _) if refused.is_empty() => Result::new(Outcome::Taken, "250"),
        (None, _) => Result::new(Outcome::Taken, &format!("250; {}", refused.join("; "))),
    }
}

/// What the server said, with its causes.
fn told(error: &lettre::transport::smtp::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        let next_text = next.to_string();
        if !text.contains(&next_text) {
            text = format!("{text}: {next_text}");
        }
        cause = next.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::letter::tests::letter;

    #[test]
    fn a_repeat_has_the_same_message_id_and_the_text_survives_the_way() {
        let mail = Mail {
            host: "mail.example".into(),
            port: 587,
            tls: MailTls::Starttls,
            user: None,
            secret: None,
            from: "Lobby <lobby@hotel.example>".parse().unwrap(),
            to: vec!["eng@hotel.example".parse().unwrap()],
        };
        let at =
            |ms| message(&mail, &letter("显示屏无信号"), "【设备】", Timestamp::from_millis(ms)).unwrap().formatted();
        let (first, repeat) = (String::from_utf8(at(0)).unwrap(), String::from_utf8(at(3_600_000)).unwrap());
        for text in [&first, &repeat] {
            assert!(text.contains("Message-ID: <01234567-89ab-cdef-0123-456789abcdef@hotel.example>"), "{text}");
            assert!(text.contains("Auto-Submitted: auto-generated"), "{text}");
        }
        assert!(first.contains("Content-Type: text/plain; charset=utf-8"), "{first}");
    }
}
