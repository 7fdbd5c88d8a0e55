// Package lend passes a driver's SDK client on to other packages of this module, and to
// no other module.
//
// A driver embeds a [Client] under an alias that it does not export:
//
//	type lent = lend.Client
//
//	type Bucket struct {
//		lent
//		...
//	}
//
// [From] finds the client in the bucket. The field and the method have names that other
// modules can't use, so the driver's API stays as it is. Tests ask a store with it what
// the contract of package driver has no verb for.
package lend

// Client carries a driver's SDK client.
type Client struct{ sdk any }

// New makes a Client of the SDK's client.
func New(sdk any) Client { return Client{sdk} }

func (c Client) lent() any { return c.sdk }

// From returns the SDK client of a driver's own bucket. It is false for a wrapped bucket,
// and where the client is of another type.
func From[T any](bucket any) (T, bool) {
	l, ok := bucket.(interface{ lent() any })
	if !ok {
		var none T
		return none, false
	}
	client, ok := l.lent().(T)
	return client, ok
}
