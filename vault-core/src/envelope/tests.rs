use super::*;

#[test]
fn envelopes_have_one_length() {
    let identity = IdentityKey::generate();
    let recipient = identity.recipient();
    for len in [0, 1, 32, 500, ENVELOPE_PAYLOAD_MAX] {
        for _ in 0..20 {
            let payload = vec![b'x'; len];
            let sealed = seal_envelope(&recipient, &payload).unwrap();
            assert_eq!(sealed.len(), ENVELOPE_LEN);
            assert_eq!(*open_envelope(&identity, &sealed).unwrap(), payload);
        }
    }
    let long = [0; ENVELOPE_PAYLOAD_MAX + 1];
    assert_eq!(
        seal_envelope(&recipient, &long),
        Err(EnvelopeError::TooLong {
            limit: ENVELOPE_PAYLOAD_MAX
        })
    );
}

#[test]
fn strangers_get_a_clear_answer() {
    let sealed = seal_envelope(&IdentityKey::generate().recipient(), b"grant").unwrap();
    let stranger = IdentityKey::generate();
    assert_eq!(
        open_envelope(&stranger, &sealed),
        Err(EnvelopeError::NotForYou)
    );
}

#[test]
fn every_altered_byte_is_seen() {
    let identity = IdentityKey::generate();
    let sealed = seal_envelope(&identity.recipient(), b"grant").unwrap();
    for place in (0..sealed.len()).step_by(31) {
        let mut altered = sealed.clone();
        altered[place] ^= 1;
        assert!(open_envelope(&identity, &altered).is_err(), "byte {place}");
    }
    for len in (0..sealed.len()).step_by(61) {
        assert!(open_envelope(&identity, &sealed[..len]).is_err());
    }
}

#[test]
fn malformed_payloads_are_refused() {
    let identity = IdentityKey::generate();
    let recipients = [identity.recipient()];
    for plaintext in [&b""[..], b"\x00", b"\x00\x02x", b"\x00\x01xy"] {
        let sealed = encrypt_to(&recipients, plaintext, false).unwrap();
        assert_eq!(
            open_envelope(&identity, &sealed),
            Err(EnvelopeError::Malformed)
        );
    }
    let sealed = encrypt_to(&recipients, b"\x00\x01x\x00", false).unwrap();
    assert_eq!(**open_envelope(&identity, &sealed).unwrap(), *b"x");
}

#[test]
fn files_round_trip_to_every_recipient() {
    let identities: Vec<_> = (0..MAX_RECIPIENTS)
        .map(|_| IdentityKey::generate())
        .collect();
    let mut recipients: Vec<_> = identities.iter().map(IdentityKey::recipient).collect();
    let content = vec![7; 200_000];
    for armor in [false, true] {
        let file = encrypt_to(&recipients, &content, armor).unwrap();
        assert_eq!(file.starts_with(b"-----BEGIN AGE"), armor);
        for identity in &identities {
            assert_eq!(
                *decrypt_with(identity, &file, content.len()).unwrap(),
                content
            );
        }
        assert_eq!(
            decrypt_with(&identities[0], &file, content.len() - 1),
            Err(EnvelopeError::TooLong { limit: 199_999 })
        );
        for len in [file.len() - 2, file.len() - 70, 100_000, 100, 0] {
            assert_eq!(
                decrypt_with(&identities[0], &file[..len], content.len()),
                Err(EnvelopeError::Malformed)
            );
        }
    }
    recipients.push(recipients[0].clone());
    assert_eq!(
        encrypt_to(&recipients, b"", false),
        Err(EnvelopeError::RecipientCount(11))
    );
    assert_eq!(
        encrypt_to(&[], b"", false),
        Err(EnvelopeError::RecipientCount(0))
    );
}

#[test]
fn oversized_headers_are_refused_before_parsing() {
    let identity = IdentityKey::generate();
    let mut file = b"age-encryption.org/v1\n".to_vec();
    file.extend(b"-> x\n\n".repeat(2 << 20));
    file.extend(b"--- AAAA");
    let start = std::time::Instant::now();
    assert_eq!(
        decrypt_with(&identity, &file, usize::MAX),
        Err(EnvelopeError::Malformed)
    );
    assert!(start.elapsed() < std::time::Duration::from_secs(5));
    assert_eq!(
        open_envelope(&identity, &vec![b'-'; HEADER_MAX + 1]),
        Err(EnvelopeError::Malformed)
    );
}
