//! The places with which a role of the network is proven.
//!
//! Owns what is asked for, what must arrive or come back, and what must not. Knows nothing of
//! tools: values are slots.

use std::io;

use super::{
    bench::{Case, Missing, common_word},
    evidence::{Evidence, Mark, Reach},
    net::NEEDS_NETWORK,
};
use crate::{
    channel::{Arrival, Channel, Net, NetForm, Place, SlotValue, Values},
    probe::{Role, Slot},
};

/// Two places, and what is asked for at neither.
pub(super) type Reaches<'a> = ([Case<'a>; 2], Missing<'a>);

/// Makes the places for a role.
pub(super) fn reaches<'a>(
    role: Role,
    form: NetForm,
    net: Option<&'a dyn Net>,
    mint: &dyn Fn() -> String,
) -> io::Result<Reaches<'a>> {
    let net = net.ok_or_else(|| io::Error::other(NEEDS_NETWORK))?;
    let arrival = Arrival::of(role);
    let place = || {
        let word = mint();
        let place = net.place(&word, arrival);
        let evidence = Evidence::Net(Reach {
            net,
            place: place.clone(),
            arrival,
            mark: Mark::Word(word),
        });
        (place, evidence)
    };
    let case = || {
        let (place, evidence) = place();
        Case {
            values: values(role, form, &place),
            evidence,
        }
    };
    let cases = [case(), case()];
    // The third place is there, but asked for is what is not: so nothing may arrive at it.
    let (third, forbidden) = place();
    let missing = values(role, form, &absent(third));
    Ok((cases, Some((missing, Some(forbidden)))))
}

/// What a channel of the network is asked for at a place.
pub(crate) fn place_values(channel: &Channel, place: &Place) -> Values {
    values(channel.role, channel.net, place)
}

fn values(role: Role, form: NetForm, place: &Place) -> Values {
    let text = |text: &str| SlotValue::Text(text.to_owned());
    let values = match role {
        // Only the host is sent, so the host must be the place's own.
        Role::HttpFetch if form == NetForm::Host => {
            vec![(
                Slot::Url,
                SlotValue::Text(place.url.replacen(&place.host, &place.name, 1)),
            )]
        }
        Role::HttpFetch => vec![(Slot::Url, text(&place.url))],
        Role::ApiPath => {
            let lead = if form == NetForm::Rooted { "/" } else { "" };
            vec![(
                Slot::Ident,
                SlotValue::Text(format!("{lead}{}", place.nonce)),
            )]
        }
        Role::NetConnect => vec![
            (Slot::Host, text(&place.host)),
            (Slot::Port, SlotValue::Json(place.port.into())),
        ],
        _ => vec![(Slot::Host, text(&place.name))],
    };
    Values::from_iter(values)
}

/// What is like a place, but is not there.
fn absent(place: Place) -> Place {
    let other = |text: &str| text.replace(&place.nonce, &common_word());
    Place {
        url: other(&place.url),
        name: other(&place.name),
        port: place.closed,
        nonce: common_word(),
        ..place
    }
}
