//! Every encoding that the detector claims to undo, alone, in noise and in pairs; and data that
//! must not be mistaken for a token.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod encodings;

use data_encoding::{BASE32, BASE64};
use encodings::{ENCODINGS, Takes, is_out_of_scope, zlib};
use proptest::prelude::*;
use proptest::sample::select;
use watertight::canary::{Decoder, Detector, Mint, PROOF, Sighting, Token, WEAK};

/// A detector with many armed tokens, and one of them.
fn armed() -> (Detector, Token) {
    let mint = Mint::new();
    let detector = Detector::new(&mint);
    let tokens: Vec<Token> = (0..50).map(|_| mint.token()).collect();
    tokens.iter().for_each(|token| detector.arm(token));
    (detector, tokens[31].clone())
}

/// What is seen of the token. Of others nothing is proven; the head that all share and two letters beside it, by
/// chance the next of another one, are a weak signal of that.
fn only_sighting(detector: &Detector, token: &Token, bytes: &[u8]) -> Option<Sighting> {
    let sightings = detector.scan(bytes);
    let own = |sighting: &Sighting| sighting.slot == token.slot();
    let foreign = |sighting: &Sighting| sighting.proof && !own(sighting);
    assert!(!sightings.iter().any(foreign), "{sightings:?}");
    sightings.into_iter().find(own)
}

/// Words, punctuation and lines, as a server might put around what it leaks.
fn noise() -> impl Strategy<Value = String> {
    "([A-Za-z]{1,9}[ ,.:\n]{1,2}){0,40}"
}

fn random_bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    fastrand::Rng::with_seed(seed).fill(&mut bytes);
    bytes
}

#[test]
fn every_encoding_alone_is_found_and_whole() {
    for encoding in ENCODINGS {
        for _ in 0..20 {
            let (detector, token) = armed();
            let bytes = (encoding.encode)(token.as_str().as_bytes());
            let sighting = only_sighting(&detector, &token, &bytes);
            let sighting = sighting.unwrap_or_else(|| panic!("{encoding:?} of {token}"));
            assert_eq!(
                (sighting.matched, sighting.proof),
                (36, true),
                "{encoding:?}: {sighting:?}"
            );
            let is_plain = ["plain", "PNG tEXt", "JSON in JSON"].contains(&encoding.name);
            assert_eq!(
                sighting.decoders.is_empty(),
                is_plain,
                "{encoding:?}: {sighting:?}"
            );
            assert!(sighting.excerpt.len() <= 120, "{encoding:?}: {sighting:?}");
        }
    }
}

#[test]
fn every_chain_of_two_encodings_is_found() {
    let mut missed = Vec::new();
    for inner in ENCODINGS {
        for outer in ENCODINGS {
            let (detector, token) = armed();
            let once = (inner.encode)(token.as_str().as_bytes());
            let fits = match outer.takes {
                Takes::Bytes => true,
                Takes::Text => once.is_ascii(),
                Takes::Token => inner.name == "plain",
            };
            if !fits || is_out_of_scope(inner, outer) {
                continue;
            }
            let twice = (outer.encode)(&once);
            let found = only_sighting(&detector, &token, &twice);
            if !found.is_some_and(|sighting| sighting.proof) {
                missed.push(format!("{} in {}", inner.name, outer.name));
            }
        }
    }
    assert!(
        missed.is_empty(),
        "{} chains missed: {missed:#?}",
        missed.len()
    );
}

/// A stream in a stream is stored as it is where it cannot be made smaller, which is so of some.
#[test]
fn streams_in_streams_are_found_however_they_fall_out() {
    let deflate = ENCODINGS.iter().find(|encoding| encoding.name == "deflate");
    let deflate = deflate.expect("it is one of them").encode;
    for _ in 0..300 {
        let (detector, token) = armed();
        let twice = deflate(&deflate(token.as_str().as_bytes()));
        let found = only_sighting(&detector, &token, &twice);
        assert!(found.is_some_and(|sighting| sighting.proof), "{twice:02x?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn an_encoded_token_in_noise_is_found(
        encoding in select(ENCODINGS), before in noise(), after in noise(),
    ) {
        let (detector, token) = armed();
        let encoded = (encoding.encode)(token.as_str().as_bytes());
        let bytes = [before.as_bytes(), b" ", &encoded, b" ", after.as_bytes()].concat();
        let sighting = only_sighting(&detector, &token, &bytes);
        // A bare deflate stream has no mark by which it could be found within other bytes.
        if encoding.name != "deflate" {
            prop_assert!(sighting.is_some_and(|found| found.proof), "{:?}", encoding);
        }
    }

    #[test]
    fn an_encoded_document_with_a_token_is_found(
        encoding in select(ENCODINGS), before in noise(), after in noise(),
    ) {
        let (detector, token) = armed();
        let document = format!("{before}{token}{after}");
        let bytes = (encoding.encode)(document.as_bytes());
        // The base58 word of a long document is beyond what the detector reads.
        if encoding.name != "base58" || document.len() < 1000 {
            let sighting = only_sighting(&detector, &token, &bytes);
            prop_assert!(sighting.is_some_and(|found| found.proof), "{:?}", encoding);
        }
    }

    #[test]
    fn a_fragment_counts_by_its_length(length in 1..=36usize, start in 0..36usize) {
        let (detector, token) = armed();
        let start = start.min(36 - length);
        let fragment = &token.as_str()[start..start + length];
        let sighting = only_sighting(&detector, &token, format!("1{fragment}8").as_bytes());
        match sighting {
            Some(sighting) => {
                prop_assert_eq!(sighting.matched, length);
                prop_assert!(length >= WEAK);
                prop_assert_eq!(sighting.proof, length >= PROOF);
                prop_assert_eq!(sighting.offset, 1);
            }
            None => prop_assert!(length < WEAK),
        }
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn random_data_is_no_token(seed in any::<u64>(), encoding in select(ENCODINGS)) {
        let (detector, _) = armed();
        let random = random_bytes(seed, 8_000);
        let texts = [
            random.clone(),
            BASE64.encode(&random).into(),
            BASE32.encode(&random).to_lowercase().into(),
            (encoding.encode)(&random[..500]),
        ];
        for text in texts {
            prop_assert_eq!(detector.scan(&text), vec![]);
        }
    }

    #[test]
    fn any_bytes_can_be_scanned(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let (detector, _) = armed();
        prop_assert_eq!(detector.scan(&bytes), vec![]);
    }
}

#[test]
fn megabytes_of_random_text_are_no_token() {
    let (detector, _) = armed();
    let random = random_bytes(1, 1 << 19);
    let base32 = BASE32.encode(&random).to_lowercase();
    assert_eq!(detector.scan(&random), []);
    assert_eq!(detector.scan(BASE64.encode(&random).as_bytes()), []);
    assert_eq!(detector.scan(base32.as_bytes()), []);
}

#[test]
fn tokens_that_were_not_armed_are_not_seen_through_their_neighbours() {
    let mint = Mint::new();
    let detector = Detector::new(&mint);
    let tokens: Vec<Token> = (0..200).map(|_| mint.token()).collect();
    let (armed, unarmed) = tokens.split_at(100);
    armed.iter().for_each(|token| detector.arm(token));
    for token in unarmed {
        assert_eq!(detector.scan(token.as_str().as_bytes()), []);
    }
}

#[test]
fn several_tokens_are_reported_once_each_by_slot() {
    let mint = Mint::new();
    let detector = Detector::new(&mint);
    let tokens: Vec<Token> = (0..3).map(|_| mint.token()).collect();
    tokens.iter().for_each(|token| detector.arm(token));
    let [a, b, c] = &tokens[..] else {
        unreachable!()
    };
    let text = format!("{} {c} {b} {a} {c}", &a.as_str()[..20]);
    let sightings = detector.scan(text.as_bytes());
    let seen: Vec<_> = sightings
        .iter()
        .map(|s| (s.slot, s.matched, s.offset))
        .collect();
    assert_eq!(
        seen,
        [(a.slot(), 36, 95), (b.slot(), 36, 58), (c.slot(), 36, 21)]
    );
}

/// What is seen whole is not searched again: that must not take the one beside it along.
#[test]
fn what_is_seen_hides_nothing_beside_it() {
    let mint = Mint::new();
    let detector = Detector::new(&mint);
    let (seen, token) = (mint.token(), mint.token());
    detector.arm(&seen);
    detector.arm(&token);
    let told = format!("A note on {seen}, and no more.");
    let before = [seen.to_string(), BASE64.encode(told.as_bytes())];
    // Nothing marks a bare deflate stream that follows on something.
    for encoding in ENCODINGS.iter().filter(|one| one.name != "deflate") {
        let bytes = (encoding.encode)(token.as_str().as_bytes());
        for before in &before {
            let text = [before.as_bytes(), b"\n", &bytes].concat();
            let sightings = detector.scan(&text);
            for token in [&seen, &token] {
                let mut of_token = sightings.iter().filter(|one| one.slot == token.slot());
                let whole = of_token.any(|one| one.matched == 36);
                assert!(whole, "{encoding:?} after {before}: {sightings:?}");
            }
        }
    }
}

#[test]
fn the_way_to_a_token_is_named_from_the_outside() {
    let (detector, token) = armed();
    let packed = zlib(token.as_str().as_bytes());
    let text = format!("attachment: {}", BASE64.encode(&packed));
    let sighting = only_sighting(&detector, &token, text.as_bytes()).unwrap();
    assert_eq!(sighting.decoders, [Decoder::Base64, Decoder::Zlib]);
    assert_eq!(sighting.offset, "attachment: ".len());
    assert_eq!(sighting.excerpt, token.as_str());
}

#[test]
fn an_excerpt_is_printable() {
    let (detector, token) = armed();
    let text = format!(
        "{}\u{1b}[31m\r\n{token}\0é{}",
        "a".repeat(99),
        "b".repeat(99)
    );
    let excerpt = only_sighting(&detector, &token, text.as_bytes())
        .unwrap()
        .excerpt;
    assert!(
        excerpt.contains(&format!("\\x1b[31m\\x0d\\x0a{token}\\x00\\xc3\\xa9bbb")),
        "{excerpt}"
    );
    assert!(
        excerpt.chars().all(|char| matches!(char, ' '..='~')),
        "{excerpt}"
    );
    assert!(excerpt.len() <= 120, "{excerpt}");
}

#[test]
fn a_bomb_is_scanned_in_bounded_memory() {
    let (detector, token) = armed();
    let bomb = zlib(&zlib(&vec![b'a'; 64 << 20]));
    let text = [&bomb[..], token.as_str().as_bytes()].concat();
    assert!(only_sighting(&detector, &token, &text).unwrap().proof);
}

#[test]
#[should_panic(expected = "own mint")]
fn a_token_of_another_mint_cannot_be_armed() {
    Detector::new(&Mint::new()).arm(&Mint::new().token());
}
