// Package signatures keeps the signatures of manifests where the three generations of registries
// and clients look for them:
//
//   - [Links] in the layout of Docker's first schema, as registries had them until 2016: each
//     signature is a blob, to which the manifest's link has another beside it.
//   - [Referrers] as OCI referrers. Clients find them by the referrers API, collection of garbage
//     keeps them as long as the manifest, and copies take them along. The HTTP extension for
//     signatures, which skopeo and podman speak, is over these ([Extension]).
//   - [Cosign] under the tag sha256-<hex>.sig, where cosign and containers/image look for what
//     cosign signs.
//
// All implement [Service], the SignatureService that docker/distribution had, with contexts.
// A signature is JSON, of a form that the generation prescribes. Nobody verifies it here: who
// trusts which key is the clients' matter.
package signatures
