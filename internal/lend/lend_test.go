package lend_test

import (
	"testing"

	"github.com/blobdock/blobdock/internal/lend"
)

type lent = lend.Client

type bucket struct{ lent }

func TestFrom(t *testing.T) {
	b := &bucket{lend.New("client")}
	if got, ok := lend.From[string](b); got != "client" || !ok {
		t.Errorf("got %q, %t", got, ok)
	}
	if got, ok := lend.From[int](b); got != 0 || ok {
		t.Errorf("another type: got %d, %t", got, ok)
	}
	for _, other := range []any{nil, "client", struct{ wrapped *bucket }{b}} {
		if got, ok := lend.From[string](other); got != "" || ok {
			t.Errorf("%T: got %q, %t", other, got, ok)
		}
	}
}
