use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use nkeys::KeyPair;
use serde_json::{Value, json};

/// Operator, account and users, as `nsc` makes them: each is a key, and a token that the one above
/// has signed.
#[derive(Debug)]
pub struct Operator {
    operator: KeyPair,
    account: KeyPair,
}

impl Default for Operator {
    fn default() -> Self {
        Self::new()
    }
}

impl Operator {
    /// Makes an operator with one account.
    pub fn new() -> Self {
        Self {
            operator: KeyPair::new_operator(),
            account: KeyPair::new_account(),
        }
    }

    /// Returns what lets a server know the operator and the account.
    pub fn server_config(&self) -> String {
        let operator = token(
            &self.operator,
            &self.operator,
            json!({ "type": "operator" }),
        );
        let all = -1;
        let limits = json!({
            "subs": all, "data": all, "payload": all, "imports": all, "exports": all,
            "wildcards": true, "conn": all, "leaf": all,
        });
        let account = json!({ "type": "account", "limits": limits });
        let account = token(&self.operator, &self.account, account);
        let account_key = self.account.public_key();
        format!(
            "operator: {operator}\nresolver: MEMORY\n\
             resolver_preload: {{ {account_key}: {account} }}\n"
        )
    }

    /// Returns the credentials of a new user.
    pub fn user(&self) -> String {
        let user = KeyPair::new_user();
        let all = -1;
        let rights = json!({ "type": "user", "subs": all, "data": all, "payload": all });
        let token = token(&self.account, &user, rights);
        let seed = user.seed().expect("it has just been made");
        format!(
            "-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n\
             -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
        )
    }
}

/// Returns what an issuer says of a subject.
fn token(issuer: &KeyPair, subject: &KeyPair, mut claims: Value) -> String {
    claims["version"] = json!(2);
    let body = json!({
        "jti": subject.public_key(),
        "iat": 1_700_000_000,
        "iss": issuer.public_key(),
        "name": "test",
        "sub": subject.public_key(),
        "nats": claims,
    });
    let head = json!({ "typ": "JWT", "alg": "ed25519-nkey" });
    let [head, body] = [head, body].map(|part| BASE64.encode(part.to_string()));
    let signed = format!("{head}.{body}");
    let signature = BASE64.encode(
        issuer
            .sign(signed.as_bytes())
            .expect("whoever issues has a seed"),
    );
    format!("{signed}.{signature}")
}
