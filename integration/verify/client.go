package verify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/opencontainers/go-digest"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/cloud"
)

// response is an answer of the registry with its body read.
type response struct {
	*http.Response
	body []byte
}

// send makes one request to a registry. The answer must have the status.
func send(ctx context.Context, method, at string, body io.Reader, size int64, status int) (response, error) {
	return sendWith(ctx, method, at, nil, body, size, status)
}

func sendWith(ctx context.Context, method, at string, header http.Header, body io.Reader, size int64, status int) (response, error) {
	req, err := http.NewRequestWithContext(ctx, method, at, body)
	if err != nil {
		return response{}, err
	}
	for name, values := range header {
		req.Header[name] = values
	}
	if body != nil {
		req.ContentLength = size
		if req.Header.Get("Content-Type") == "" {
			req.Header.Set("Content-Type", "application/octet-stream")
		}
	}
	res, err := registryClient.Do(req)
	if err != nil {
		return response{}, fmt.Errorf("%s: %s", method, cloud.Reason(err))
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		return response{}, fmt.Errorf("%s: %s", method, cloud.Reason(err))
	}
	if res.StatusCode != status {
		return response{}, fmt.Errorf("%s: the registry answers %s, want %d: %s", method, res.Status, status, cloud.OneLine(string(got)))
	}
	return response{res, got}, nil
}

// repository is one repository of a registry.
type repository struct{ base, name string }

func (r repository) blob(d digest.Digest) string {
	return r.base + "/v2/" + r.name + "/blobs/" + d.String()
}

// begin starts an upload, and returns where it goes on.
func (r repository) begin(ctx context.Context) (string, error) {
	res, err := send(ctx, http.MethodPost, r.base+"/v2/"+r.name+"/blobs/uploads/", nil, 0, http.StatusAccepted)
	if err != nil {
		return "", err
	}
	return res.Header.Get("Location"), nil
}

// patch sends bytes, and returns where the upload goes on.
func patch(ctx context.Context, at string, data []byte) (string, error) {
	res, err := send(ctx, http.MethodPatch, at, bytes.NewReader(data), int64(len(data)), http.StatusAccepted)
	if err != nil {
		return "", err
	}
	return res.Header.Get("Location"), nil
}

// commit ends an upload with the rest of its bytes.
func commit(ctx context.Context, at string, d digest.Digest, rest []byte) error {
	_, err := send(ctx, http.MethodPut, at+"&digest="+d.String(), bytes.NewReader(rest), int64(len(rest)), http.StatusCreated)
	return err
}

// status asks how many bytes of an upload there are, and where it goes on.
func status(ctx context.Context, at string) (offset int64, next string, err error) {
	res, err := send(ctx, http.MethodGet, at, nil, 0, http.StatusNoContent)
	if err != nil {
		return 0, "", err
	}
	var last int64
	if _, err := fmt.Sscanf(res.Header.Get("Range"), "0-%d", &last); err != nil {
		return 0, "", fmt.Errorf("GET: the registry's Range is %q", res.Header.Get("Range"))
	}
	if last > 0 { // distribution's word for nothing is 0-0
		last++
	}
	return last, res.Header.Get("Location"), nil
}

// moved is an upload's URL at another replica.
func moved(at, base string) (string, error) {
	u, err := url.Parse(at)
	if err != nil {
		return "", errors.New("the upload's Location is no URL")
	}
	return base + u.RequestURI(), nil
}

// compare fails unless data has the digest.
func compare(data []byte, d digest.Digest) error {
	if got := d.Algorithm().FromBytes(data); got != d {
		return fmt.Errorf("%d bytes of %s came, want %s: %w", len(data), got, d, driver.Corrupt)
	}
	return nil
}
