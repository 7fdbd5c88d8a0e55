package integration_test

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
)

// TestSameDigest has 16 clients push one blob at the same time, through two
// replicas and in both ways. All are told that it is there, it is there once, and
// nothing else is.
func TestSameDigest(t *testing.T) { onEach(t, sameDigest) }

func sameDigest(t *testing.T, store cloud) {
	one, two, inside := twoReplicas(t, store)
	var digests []string
	for _, size := range []int64{100 * kib, 6 * mib} {
		c := content{size, 16}
		digests = append(digests, c.digest().String())
		var wg sync.WaitGroup
		errs := make([]error, 16)
		for i := range errs {
			base, repo := one.URL, fmt.Sprintf("same/%d", i%3)
			if i%4 < 2 {
				base = two.URL
			}
			wg.Go(func() {
				if i%2 == 0 {
					errs[i] = stream(t, base, repo, c, true)
				} else {
					errs[i] = single(t, base, repo, c)
				}
			})
		}
		wg.Wait()
		for i, err := range errs {
			if err != nil {
				t.Errorf("client %d: %v", i, err)
			}
		}
		for i := range 3 {
			pull(t, one.URL, fmt.Sprintf("same/%d", i), c.digest(), size)
		}
	}
	slices.Sort(digests)
	if got := blobsIn(t, inside); !slices.Equal(got, digests) {
		t.Errorf("blobs %v, want %v", got, digests)
	}
	wantNoUploads(t, inside)
}

// stream pushes c by POST, PATCH and PUT. As a docker client does, it may not
// tell the length of the body.
func stream(t *testing.T, base, repo string, c content, tell bool) error {
	length := c.size
	if !tell {
		length = -1
	}
	at, err := post(t, base, repo)
	if err != nil {
		return err
	}
	res, err := send(t, http.MethodPatch, at, nil, c.reader(), length)
	if err != nil || res.StatusCode != http.StatusAccepted {
		return fmt.Errorf("PATCH: %v, %w", res.Response, err)
	}
	res, err = send(t, http.MethodPut, withDigest(res.location(), c.digest()), nil, nil, 0)
	if err != nil || res.StatusCode != http.StatusCreated {
		return fmt.Errorf("PUT: %v, %w", res.Response, err)
	}
	return nil
}

// single pushes c by POST and PUT.
func single(t *testing.T, base, repo string, c content) error {
	at, err := post(t, base, repo)
	if err != nil {
		return err
	}
	res, err := send(t, http.MethodPut, withDigest(at, c.digest()), nil, c.reader(), c.size)
	if err != nil || res.StatusCode != http.StatusCreated {
		return fmt.Errorf("PUT: %v, %w", res.Response, err)
	}
	return nil
}

// post starts an upload and returns where it goes on.
func post(t *testing.T, base, repo string) (string, error) {
	res, err := send(t, http.MethodPost, base+"/v2/"+repo+"/blobs/uploads/", nil, nil, 0)
	if err != nil || res.StatusCode != http.StatusAccepted {
		return "", fmt.Errorf("POST: %v, %w", res.Response, err)
	}
	return res.location(), nil
}
