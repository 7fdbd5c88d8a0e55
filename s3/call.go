package s3

import (
	"context"
	"encoding/xml"
	"time"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/cloud"
)

// call is one method call.
type call struct {
	cloud.Call
	source string        // the ETag that a copy's source must have
	region string        // the one that requests are signed for
	every  time.Duration // how often the store takes a write to one key; 0 is no limit

	customer   bool // the request has a customer's key
	keys       *keyring
	generation int64 // of the credentials that the request was signed with; 0 is none
}

type callKey struct{}

// begin starts a call; requests under the context report to it.
func (b *Bucket) begin(ctx context.Context, op driver.Op, key string) (context.Context, *call) {
	c := &call{Call: cloud.Call{Op: op, Key: key}, region: b.region, every: b.profile.keyInterval, keys: b.keys, customer: b.customer != nil}
	return cloud.Begin(context.WithValue(ctx, callKey{}, c), &c.Call), c
}

// reply is what error documents tell beyond code and message.
type reply struct {
	Code      string
	Message   string
	Condition string // the header whose condition did not hold
	Region    string
	Endpoint  string
}

// reply reads the error document; what is none tells nothing.
func (c *call) reply() (r reply) {
	_ = xml.Unmarshal(c.Document, &r)
	return r
}
