//! Tests of the point evaluation precompile (EIP-4844), whose backend a feature of revm chooses.

use alloy_primitives::hex;
use revm::precompile::kzg_point_evaluation::{GAS_COST, kzg_to_versioned_hash, run};

/// The case `correct_proof_4_4` of c-kzg-4844's tests: commitment, point, value and proof.
const COMMITMENT: [u8; 48] = hex!(
    "8f59a8d2a1a625a17f3fea0fe5eb8c896db3764f3185481bc22f91b4aaffcca25f26936857bc3a7c2539ea8ec3a952b7"
);
const POINT: [u8; 32] = hex!("73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000000");
const VALUE: [u8; 32] = hex!("1522a4a7f34e1ea350ae07c29c96c7e79655aa926122e95fe69fcbd932ca49e9");
const PROOF: [u8; 48] = hex!(
    "a62ad71d14c5719385c0686f1871430475bf3a00f0aa3f7b8dd99a9abc2160744faf0070725e00b60ad9a026a15b1a8c"
);

/// The generator of G1: the commitment to the constant polynomial 1.
const GENERATOR: [u8; 48] = hex!(
    "97f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb"
);

/// The scalar field's modulus, the smallest number that is no field element.
const MODULUS: [u8; 32] = hex!("73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001");

/// The point at infinity: the proof of a constant polynomial.
fn infinity() -> [u8; 48] {
    let mut point = [0; 48];
    point[0] = 0xc0;
    point
}

fn scalar(last: u8) -> [u8; 32] {
    let mut scalar = [0; 32];
    scalar[31] = last;
    scalar
}

fn accepts(commitment: [u8; 48], point: [u8; 32], value: [u8; 32], proof: [u8; 48]) -> bool {
    let hash = kzg_to_versioned_hash(&commitment);
    let input = [&hash[..], &point, &value, &commitment, &proof].concat();
    run(&input, GAS_COST).is_ok()
}

#[test]
fn a_correct_proof_is_accepted() {
    assert!(accepts(COMMITMENT, POINT, VALUE, PROOF));
    for point in [scalar(0), scalar(7), POINT] {
        assert!(accepts(infinity(), point, scalar(0), infinity()), "{}", hex::encode(point));
        assert!(accepts(GENERATOR, point, scalar(1), infinity()), "{}", hex::encode(point));
    }
}

#[test]
fn a_wrong_value_point_or_proof_is_refused() {
    assert!(!accepts(COMMITMENT, POINT, scalar(1), PROOF));
    assert!(!accepts(COMMITMENT, scalar(1), VALUE, PROOF));
    assert!(!accepts(COMMITMENT, POINT, VALUE, infinity()));
    assert!(!accepts(GENERATOR, POINT, VALUE, PROOF));
    assert!(!accepts(GENERATOR, scalar(7), scalar(2), infinity()));
}

#[test]
fn an_input_outside_its_field_or_group_is_refused() {
    assert!(!accepts(GENERATOR, MODULUS, scalar(1), infinity()));
    assert!(!accepts(infinity(), scalar(7), MODULUS, infinity()));
    // On the curve's encoding, but without a point of the subgroup.
    let mut outside = GENERATOR;
    outside[47] ^= 1;
    assert!(!accepts(outside, scalar(7), scalar(1), infinity()));
    assert!(!accepts(GENERATOR, scalar(7), scalar(1), [0; 48]));
}
