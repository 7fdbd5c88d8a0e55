package azure

import (
	"bytes"
	"cmp"
	"context"
	"encoding/xml"
	"strings"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/cloud"
)

// call is one method call.
type call struct{ cloud.Call }

// begin starts a call; requests under the context report to it.
func begin(ctx context.Context, op driver.Op, key string) (context.Context, *call) {
	c := &call{cloud.Call{Op: op, Key: key}}
	return cloud.Begin(ctx, &c.Call), c
}

// reply is what error documents tell.
type reply struct {
	Code    string
	Message string
}

// reply reads the error document; what is none tells nothing.
func (c *call) reply() (r reply) {
	_ = xml.Unmarshal(bytes.TrimPrefix(c.Document, []byte("\xef\xbb\xbf")), &r)
	// The other lines are the request's id and the time.
	r.Message, _, _ = strings.Cut(strings.TrimSpace(r.Message), "\n")
	return r
}

// code is the store's own code for the error in its reply.
func (c *call) code() string { return cmp.Or(c.Header.Get("X-Ms-Error-Code"), c.reply().Code) }
