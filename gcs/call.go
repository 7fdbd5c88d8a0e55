package gcs

import (
	"context"
	"net/http"

	"google.golang.org/api/googleapi"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/cloud"
)

// call is one request.
type call struct{ cloud.Call }

// begin starts a call; the request under the context reports to it.
func begin(ctx context.Context, op driver.Op, key string, cond driver.Cond) (context.Context, *call) {
	c := &call{cloud.Call{Op: op, Key: key, Cond: cond}}
	return cloud.Begin(ctx, &c.Call), c
}

// do sends what the generated client has no method for. The reply is one of success.
func (b *Bucket) do(req *http.Request) (*http.Response, error) { return exchange(b.client, req) }

// exchange is do by a client.
func exchange(client *http.Client, req *http.Request) (*http.Response, error) {
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	if err := googleapi.CheckResponse(resp); err != nil {
		_ = resp.Body.Close()
		return nil, err
	}
	return resp, nil
}
