package check

import "testing"

// FuzzParse reads whatever lies where a manifest should. What it then refers to are
// digests.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": {"digest": "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "size": 0}}`))
	f.Add([]byte(`{"schemaVersion": 2, "manifests": [{"digest": "../../x", "urls": ["a"]}]}`))
	f.Add([]byte(`{"schemaVersion": 1}`))
	f.Add([]byte("null"))
	f.Fuzz(func(t *testing.T, p []byte) {
		kind, _, refs := parse(p)
		if kind != "" && refs != nil {
			t.Errorf("%q is %s and refers to %v", p, kind, refs)
		}
		for _, r := range refs {
			if err := r.digest.Validate(); err != nil {
				t.Errorf("%q refers to %q: %v", p, r.digest, err)
			}
		}
	})
}
