//! JSON Web Tokens, with keys that are made here.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RSA_PSS_SHA256, RsaKeyPair,
};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};

use super::{Gate, by_token, gate};
use crate::clock;

/// An issuer with a key of each kind, whose tokens with `sub: fraud` are a principal's.
struct Issuer {
    folder: tempfile::TempDir,
    point: EcdsaKeyPair,
    edwards: Ed25519KeyPair,
    rsa: RsaKeyPair,
    random: SystemRandom,
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Issuer {
    fn new() -> Issuer {
        let (folder, random) = (tempfile::tempdir().unwrap(), SystemRandom::new());
        let kind = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
        let point = EcdsaKeyPair::from_pkcs8(kind, document.as_ref(), &random).unwrap();
        let document = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        let edwards = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
        let made = std::process::Command::new("openssl")
            .args([
                "genpkey",
                "-algorithm",
                "RSA",
                "-pkeyopt",
                "rsa_keygen_bits:2048",
            ])
            .output()
            .unwrap();
        let key = PrivatePkcs8KeyDer::from_pem_slice(&made.stdout).unwrap();
        let rsa = RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()).unwrap();
        let issuer = Issuer {
            folder,
            point,
            edwards,
            rsa,
            random,
        };
        issuer.publish();
        issuer
    }

    fn publish(&self) {
        let point = self.point.public_key().as_ref();
        let rsa = ring::signature::RsaPublicKeyComponents::<Vec<u8>>::from(self.rsa.public());
        let keys = json!({"keys": [
            {"kty": "EC", "crv": "P-256", "kid": "point", "use": "sig", "x": encode(&point[1..33]), "y": encode(&point[33..])},
            {"kty": "OKP", "crv": "Ed25519", "kid": "edwards", "x": encode(self.edwards.public_key())},
            {"kty": "RSA", "kid": "rsa", "alg": "RS256", "n": encode(&rsa.n), "e": encode(&rsa.e)},
            {"kty": "RSA", "kid": "pss", "n": encode(&rsa.n), "e": encode(&rsa.e)},
            {"kty": "RSA", "kid": "enc", "use": "enc", "n": encode(&rsa.n), "e": encode(&rsa.e)},
            {"kty": "oct", "kid": "shared", "k": encode("a shared secret")},
            {"kty": "of tomorrow"},
        ]});
        std::fs::write(self.folder.path().join("jwks.json"), keys.to_string()).unwrap();
    }

    fn gate(&self) -> Gate {
        gate(
            "issuers: { login: { issuer: 'https://login.example', audience: horizon, jwks: { file: jwks.json }, algorithms: [ES256, EdDSA, RS256, PS256] } }\nprincipals: { fraud: { jwts: [ { issuer: login, claims: { sub: fraud, scope: 'events:read' } } ], grants: { read: [account] } } }",
            self.folder.path(),
        )
    }

    fn claims() -> Value {
        let now = clock::now_ms() / 1_000;
        json!({"iss": "https://login.example", "aud": "horizon", "sub": "fraud", "scope": "profile events:read", "exp": now + 60})
    }

    fn token(&self, header: &Value, claims: &Value) -> String {
        let message = format!(
            "{}.{}",
            encode(header.to_string()),
            encode(claims.to_string())
        );
        let signature = self.sign(header["alg"].as_str().unwrap(), message.as_bytes());
        format!("{message}.{}", encode(signature))
    }

    fn sign(&self, algorithm: &str, message: &[u8]) -> Vec<u8> {
        let rsa = |padding| {
            let mut signature = vec![0; self.rsa.public().modulus_len()];
            self.rsa
                .sign(padding, &self.random, message, &mut signature)
                .unwrap();
            signature
        };
        match algorithm {
            "ES256" => self
                .point
                .sign(&self.random, message)
                .unwrap()
                .as_ref()
                .to_vec(),
            "EdDSA" => self.edwards.sign(message).as_ref().to_vec(),
            "RS256" => rsa(&RSA_PKCS1_SHA256),
            "PS256" => rsa(&RSA_PSS_SHA256),
            // With the public key for a shared secret, as the attack has it.
            "HS256" => {
                let secret = self.rsa.public();
                let secret = ring::signature::RsaPublicKeyComponents::<Vec<u8>>::from(secret).n;
                hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), message)
                    .as_ref()
                    .to_vec()
            }
            _ => Vec::new(),
        }
    }
}

#[tokio::test]
async fn a_token_of_the_issuer_lets_its_principal_in() {
    let issuer = Issuer::new();
    let gate = issuer.gate();
    let mut claims = Issuer::claims();
    for (algorithm, key) in [
        ("ES256", "point"),
        ("EdDSA", "edwards"),
        ("RS256", "rsa"),
        ("PS256", "pss"),
    ] {
        let token = issuer.token(&json!({"alg": algorithm, "kid": key}), &claims);
        let caller = by_token(&gate, &token).await;
        assert_eq!(caller.unwrap().principal(), Some("fraud"), "{algorithm}");
    }
    let token = issuer.token(&json!({"alg": "ES256"}), &claims);
    assert!(
        by_token(&gate, &token).await.is_some(),
        "one key only is for it"
    );
    claims["aud"] = json!(["other", "horizon"]);
    claims["scope"] = json!(["events:read"]);
    let now = clock::now_ms() / 1_000;
    claims["nbf"] = json!(now + 10);
    claims["exp"] = json!(now as f64 - 10.5);
    let token = issuer.token(&json!({"alg": "ES256", "kid": "point"}), &claims);
    assert!(
        by_token(&gate, &token).await.is_some(),
        "clocks may differ a little"
    );
}

#[tokio::test]
async fn a_token_with_anything_wrong_lets_nobody_in() {
    let issuer = Issuer::new();
    let gate = issuer.gate();
    let good = json!({"alg": "ES256", "kid": "point"});
    let now = clock::now_ms() / 1_000;
    for (name, value) in [
        ("iss", json!("https://evil.example")),
        ("iss", json!(["https://login.example"])),
        ("iss", Value::Null),
        ("aud", json!("other")),
        ("aud", json!(["other"])),
        ("aud", Value::Null),
        ("sub", json!("payments")),
        ("sub", Value::Null),
        ("scope", json!("events:readwrite")),
        ("exp", json!(now - 31)),
        ("exp", json!("tomorrow")),
        ("exp", Value::Null),
        ("exp", json!(-1)),
        ("nbf", json!(now + 40)),
        ("nbf", json!(now.to_string())),
    ] {
        let mut claims = Issuer::claims();
        claims[name] = value;
        let token = issuer.token(&good, &claims);
        assert!(by_token(&gate, &token).await.is_none(), "{claims}");
    }
    let claims = Issuer::claims();
    for header in [
        json!({"alg": "none"}),
        json!({"alg": "None", "kid": "point"}),
        json!({"alg": "HS256", "kid": "rsa"}),
        json!({"alg": "HS256", "kid": "shared"}),
        json!({"alg": "RS256", "kid": "point"}),
        json!({"alg": "PS256", "kid": "rsa"}),
        json!({"alg": "PS256", "kid": "enc"}),
        json!({"alg": "ES256", "kid": "edwards"}),
        json!({"alg": "ES256", "kid": "unknown"}),
        json!({"alg": "ES256", "kid": "point", "crit": ["exp"]}),
    ] {
        let token = issuer.token(&header, &claims);
        assert!(by_token(&gate, &token).await.is_none(), "{header}");
    }
    let token = issuer.token(&good, &claims);
    let parts: Vec<&str> = token.split('.').collect();
    let mut others = claims.clone();
    others["sub"] = json!("fraud2");
    let stranger = Issuer::new();
    for bad in [
        format!("{}.{}.", parts[0], parts[1]),
        format!("{}.{}", parts[0], parts[1]),
        format!("{}.{}.{}", parts[0], encode(others.to_string()), parts[2]),
        format!("{token}."),
        format!("{token}A"),
        "..".to_owned(),
        stranger.token(&good, &claims),
    ] {
        assert!(by_token(&gate, &bad).await.is_none(), "{bad}");
    }
    assert!(
        by_token(&gate, &token).await.is_some(),
        "only what was wrong was refused"
    );
}
