//! Credentials that are known by their shape alone.
//!
//! Owns the table of shapes. Prefixes, alphabets and lengths are facts that the issuers publish;
//! most were collected by gitleaks (config/gitleaks.toml, MIT), whose test for randomness is kept
//! too. Knows nothing of where a text comes from.

use std::{ops::RangeInclusive, sync::LazyLock};

use aho_corasick::AhoCorasick;

use super::secret::{Hit, entropy, placeholder};

/// Bits per character below which what follows a prefix is no key but an example.
const LEAST_ENTROPY: f64 = 2.8;

/// Characters that follow a prefix.
#[derive(Debug, Clone, Copy)]
enum Of {
    /// Letters and digits.
    Word,
    /// Letters, digits, `_` and `-`.
    Dashed,
    /// Lower-case hexadecimal digits.
    Hex,
    /// Capital letters and digits.
    Capital,
    /// Letters, digits, `_`, `-`, `.`, `+`, `/` and `=`.
    Wide,
}

impl Of {
    fn holds(self, c: char) -> bool {
        match self {
            Self::Word => c.is_ascii_alphanumeric(),
            Self::Dashed => c.is_ascii_alphanumeric() || "_-".contains(c),
            Self::Hex => matches!(c, '0'..='9' | 'a'..='f'),
            Self::Capital => c.is_ascii_uppercase() || c.is_ascii_digit(),
            Self::Wide => c.is_ascii_alphanumeric() || "_-.+/=".contains(c),
        }
    }
}

/// What it is, what it begins with, what follows, and how many characters of that.
type Shape = (&'static str, &'static str, Of, RangeInclusive<usize>);

const SHAPES: &[Shape] = &[
    (
        "an age secret key",
        "AGE-SECRET-KEY-1",
        Of::Capital,
        58..=58,
    ),
    ("an Alibaba Cloud access key", "LTAI", Of::Word, 20..=20),
    ("an Anthropic API key", "sk-ant-", Of::Dashed, 80..=120),
    ("an Artifactory API key", "AKCp", Of::Word, 69..=69),
    ("an Atlassian API token", "ATATT3", Of::Wide, 100..=200),
    ("an AWS access key id", "AKIA", Of::Capital, 16..=16),
    (
        "an AWS temporary access key id",
        "ASIA",
        Of::Capital,
        16..=16,
    ),
    ("a Databricks token", "dapi", Of::Hex, 32..=32),
    ("a DigitalOcean token", "dop_v1_", Of::Hex, 64..=64),
    (
        "a Discord webhook",
        "discord.com/api/webhooks/",
        Of::Wide,
        60..=120,
    ),
    ("a Docker Hub token", "dckr_pat_", Of::Dashed, 24..=40),
    ("a Doppler token", "dp.pt.", Of::Word, 40..=48),
    ("a Figma token", "figd_", Of::Dashed, 36..=60),
    ("a Fly.io token", "fo1_", Of::Dashed, 40..=60),
    ("a GitHub token", "ghp_", Of::Word, 36..=36),
    ("a GitHub OAuth token", "gho_", Of::Word, 36..=36),
    ("a GitHub user token", "ghu_", Of::Word, 36..=36),
    ("a GitHub app token", "ghs_", Of::Word, 36..=36),
    ("a GitHub refresh token", "ghr_", Of::Word, 36..=76),
    (
        "a GitHub fine-grained token",
        "github_pat_",
        Of::Dashed,
        82..=82,
    ),
    ("a GitLab token", "glpat-", Of::Wide, 20..=60),
    (
        "a GitLab pipeline trigger token",
        "glptt-",
        Of::Hex,
        40..=40,
    ),
    ("a GitLab deploy token", "gldt-", Of::Dashed, 20..=60),
    ("a GitLab runner token", "glrt-", Of::Dashed, 20..=60),
    ("a Google API key", "AIza", Of::Dashed, 35..=35),
    (
        "a Google OAuth client secret",
        "GOCSPX-",
        Of::Dashed,
        28..=28,
    ),
    ("a Google OAuth token", "ya29.", Of::Dashed, 30..=500),
    (
        "a Grafana service account token",
        "glsa_",
        Of::Dashed,
        41..=41,
    ),
    ("a Groq API key", "gsk_", Of::Word, 52..=52),
    ("a Heroku API key", "HRKU-AA", Of::Dashed, 58..=58),
    ("a Hugging Face token", "hf_", Of::Word, 34..=40),
    ("a Linear API key", "lin_api_", Of::Word, 40..=40),
    ("a Mapbox secret token", "sk.eyJ", Of::Wide, 40..=200),
    ("a Netlify token", "nfp_", Of::Word, 36..=40),
    ("a New Relic API key", "NRAK-", Of::Capital, 27..=27),
    ("a Notion token", "ntn_", Of::Word, 43..=46),
    ("an npm token", "npm_", Of::Word, 36..=36),
    (
        "a 1Password service account token",
        "ops_eyJ",
        Of::Wide,
        250..=4000,
    ),
    ("an OpenAI API key", "sk-proj-", Of::Dashed, 40..=200),
    ("an OpenAI API key", "sk-svcacct-", Of::Dashed, 40..=200),
    ("an OpenRouter API key", "sk-or-v1-", Of::Hex, 64..=64),
    ("an API key", "sk-", Of::Word, 32..=64),
    ("a Perplexity API key", "pplx-", Of::Word, 48..=56),
    ("a PlanetScale token", "pscale_tkn_", Of::Wide, 32..=64),
    ("a Postman API key", "PMAK-", Of::Dashed, 59..=59),
    ("a Pulumi token", "pul-", Of::Hex, 40..=40),
    (
        "a PyPI token",
        "pypi-AgEIcHlwaS5vcmc",
        Of::Dashed,
        50..=1000,
    ),
    ("a Replicate token", "r8_", Of::Word, 37..=40),
    ("a RubyGems key", "rubygems_", Of::Hex, 48..=48),
    ("a SendGrid API key", "SG.", Of::Wide, 66..=66),
    ("a Sentry token", "sntryu_", Of::Hex, 64..=64),
    ("a Shopify token", "shpat_", Of::Hex, 32..=32),
    ("a Slack bot token", "xoxb-", Of::Dashed, 24..=90),
    ("a Slack user token", "xoxp-", Of::Dashed, 24..=90),
    ("a Slack app token", "xapp-", Of::Dashed, 24..=110),
    (
        "a Slack webhook",
        "hooks.slack.com/services/",
        Of::Wide,
        40..=60,
    ),
    ("a Square token", "sq0atp-", Of::Dashed, 22..=60),
    ("a Stripe live key", "sk_live_", Of::Word, 20..=110),
    ("a Stripe restricted key", "rk_live_", Of::Word, 20..=110),
    ("a Stripe test key", "sk_test_", Of::Word, 20..=110),
    ("a Supabase token", "sbp_", Of::Hex, 40..=40),
    ("a Tailscale key", "tskey-", Of::Dashed, 30..=70),
    ("a Tavily API key", "tvly-", Of::Dashed, 32..=50),
    ("a Vault token", "hvs.", Of::Dashed, 24..=120),
    ("a Vault batch token", "hvb.", Of::Dashed, 100..=300),
    ("an xAI API key", "xai-", Of::Word, 80..=80),
];

static PREFIXES: LazyLock<AhoCorasick> = LazyLock::new(|| {
    AhoCorasick::new(SHAPES.iter().map(|(_, prefix, ..)| prefix))
        .expect("a short list of short texts; a test builds it")
});

/// Credentials in a text, in order; none lies within another.
pub(super) fn scan(text: &str) -> Vec<Hit> {
    let mut hits = Vec::new();
    for found in PREFIXES.find_overlapping_iter(text) {
        let (what, _, of, length) = &SHAPES[found.pattern().as_usize()];
        let before = text[..found.start()].chars().next_back();
        if before.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &text[found.end()..];
        // One more than there may be is enough to see that there are too many.
        let body: usize = rest
            .chars()
            .take(length.end() + 1)
            .take_while(|c| of.holds(*c))
            .map(char::len_utf8)
            .sum();
        let body = &rest[..body];
        let whole = &text[found.start()..found.end() + body.len()];
        if length.contains(&body.len()) && entropy(body) >= LEAST_ENTROPY && !placeholder(whole) {
            hits.push(Hit::new(
                "secret.key",
                found.start()..found.start() + whole.len(),
                *what,
            ));
        }
    }
    hits.extend(private_keys(text));
    hits.extend(web_tokens(text));
    hits.sort_by_key(|hit| (hit.span.start, std::cmp::Reverse(hit.span.end)));
    let mut end = 0;
    hits.retain(|hit| {
        let apart = hit.span.start >= end;
        end = end.max(hit.span.end);
        apart
    });
    hits
}

/// PEM blocks of private keys, up to their end line or the end of the text.
fn private_keys(text: &str) -> Vec<Hit> {
    const BEGIN: &str = "-----BEGIN ";
    const LABEL: &str = "PRIVATE KEY-----";
    let mut hits = Vec::new();
    let mut from = 0;
    while let Some(start) = text[from..].find(BEGIN).map(|start| from + start) {
        from = start + BEGIN.len();
        // The label is one short line: "RSA PRIVATE KEY", "OPENSSH PRIVATE KEY".
        let line: &str = text[from..].split(['\n', '\\']).next().unwrap_or_default();
        let Some(label) = line.find(LABEL).filter(|label| *label < 40) else {
            continue;
        };
        let body = from + label + LABEL.len();
        let end = text[body..]
            .find("-----END ")
            .map_or(text.len(), |end| body + end);
        if end - body > 40 && !text[body..end].contains("...") {
            hits.push(Hit::new("secret.key", start..end, "a private key"));
        }
        from = end;
    }
    hits
}

/// JSON Web Tokens (RFC 7519): three parts in base64, of which two begin with `{"`.
fn web_tokens(text: &str) -> impl Iterator<Item = Hit> {
    let of_token = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    text.match_indices("eyJ").filter_map(move |(start, _)| {
        // Only the first of a run, so that each run is read once.
        if text[..start].chars().next_back().is_some_and(of_token) {
            return None;
        }
        let rest = &text[start..];
        let end = rest.find(|c| !of_token(c)).unwrap_or(rest.len());
        let mut parts = rest[..end].split('.');
        let (head, body, mac) = (parts.next()?, parts.next()?, parts.next()?);
        let fits =
            head.len() >= 17 && body.starts_with("eyJ") && body.len() >= 17 && mac.len() >= 10;
        fits.then(|| Hit::new("secret.key", start..start + end, "a JSON Web Token"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every shape is found at its least and its greatest length, alone and within a line, and not
    /// when it is one character short or glued to a word.
    #[test]
    fn every_shape_is_found_and_nothing_like_it() {
        for (what, prefix, of, length) in SHAPES {
            let alphabet: Vec<char> = ('0'..='z').filter(|c| of.holds(*c)).collect();
            let body = |length: usize| -> String {
                (0..length)
                    .map(|i| alphabet[(i * 7 + 3) % alphabet.len()])
                    .collect()
            };
            for length in [*length.start(), *length.end()] {
                let key = format!("{prefix}{}", body(length));
                let line = format!("x = \"{key}\", y");
                let hits = scan(&line);
                assert_eq!(hits.len(), 1, "{what}: {line}");
                assert_eq!(&line[hits[0].span.clone()], key, "{what}");
                assert!(scan(&format!("glued{key}")).is_empty(), "{what}");
            }
            let short = format!("{prefix}{}", body(length.start() - 1));
            assert!(!scan(&short).iter().any(|hit| hit.what == *what), "{short}");
            let example = format!("{prefix}{}", "x".repeat(*length.start()));
            assert!(scan(&example).is_empty(), "{example}");
        }
    }

    #[test]
    fn blocks_and_tokens() {
        let begin = ["-----BEGIN RSA PRIVATE", " KEY-----"].concat();
        let block = format!("{begin}\n{}\n-----END RSA", "MIIEpAIBAAKCAQEA7b".repeat(4));
        assert_eq!(scan(&block)[0].what, "a private key");
        assert!(scan(&format!("{begin}\n...\n-----END")).is_empty());
        let token = format!("eyJ{0}.eyJ{0}.{0}", "hbGciOiJIUzI1NiJ9");
        assert_eq!(scan(&token)[0].what, "a JSON Web Token");
        assert!(scan("eyJhbGciOiJIUzI1NiJ9.short").is_empty());
    }
}
