package registry

import (
	"context"
	"mime"
	"net/http"

	"github.com/distribution/distribution/v3"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/blobdock/blobdock/manifests"
)

// rawManifest is the bytes of a manifest that distribution can't read, or not by its digest:
// distribution knows four types and sha256. It hands the bytes along as they are. In its
// notifications they have a type of our own, by which it finds the digest again.
type rawManifest struct {
	payload   []byte
	digest    digest.Digest
	mediaType string // the manifest's own, once that is known
}

// References implements distribution.Manifest, for notifications that list them.
func (m *rawManifest) References() []v1.Descriptor {
	parsed, err := manifests.Parse(m.mediaType, m.digest.Algorithm(), m.payload)
	if err != nil {
		return nil
	}
	return parsed.References()
}

// Payload implements distribution.Manifest.
func (m *rawManifest) Payload() (mediaType string, payload []byte, err error) {
	own := rawType(m.digest.Algorithm())
	if m.mediaType == "" {
		return own, m.payload, nil
	}
	return mime.FormatMediaType(own, map[string]string{"type": m.mediaType}), m.payload, nil
}

// rawType is the type of manifests whose digest has this algorithm, between Handler and
// distribution's own.
func rawType(a digest.Algorithm) string { return "application/vnd.blobdock.manifest+" + a.String() }

func init() {
	for _, a := range []digest.Algorithm{digest.SHA256, digest.SHA512} {
		err := distribution.RegisterManifestSchema(rawType(a), func(p []byte) (distribution.Manifest, v1.Descriptor, error) {
			m := &rawManifest{payload: p, digest: a.FromBytes(p)}
			return m, v1.Descriptor{Digest: m.digest, Size: int64(len(p))}, nil
		})
		if err != nil {
			panic(err) // imported twice under different paths
		}
	}
}

// manifestPull is what a GET or HEAD of a manifest answers.
type manifestPull struct {
	mediaType string        // the manifest's own, where distribution is told another
	digest    digest.Digest // that the tag has become since distribution read it
}

// handOver is a manifest that is pulled as distribution can notify others of it. The answer
// then gets its media type from answerManifestPull.
func handOver(ctx context.Context, d digest.Digest, m distribution.Manifest) distribution.Manifest {
	a, ok := ctx.Value(answerKey{}).(*answer)
	if _, untyped := m.(*manifests.Manifest); !ok || a.pull == nil || !untyped && d.Algorithm() == digest.Canonical {
		return m
	}
	mediaType, payload, err := m.Payload()
	if err != nil {
		return m
	}
	a.pull.mediaType = mediaType
	return &rawManifest{payload, d, mediaType}
}

// answerManifestPull gives the answer the media type and the digest of the manifest that was handed
// over, where distribution has been told others.
func (e *exchange) answerManifestPull() {
	a, ok := e.r.Context().Value(answerKey{}).(*answer)
	if !ok || !e.readsManifest() {
		return
	}
	p := new(manifestPull)
	a.pull = p
	e.answers = append(e.answers, func(r *reply) {
		if p.mediaType != "" && r.status == http.StatusOK {
			r.header.Set("Content-Type", p.mediaType)
		}
		if p.digest != "" && r.status == http.StatusOK {
			r.header.Set("Docker-Content-Digest", p.digest.String())
			r.header.Set("Etag", `"`+p.digest.String()+`"`)
		}
	})
}
