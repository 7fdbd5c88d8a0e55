package driver_test

import (
	"context"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/mem"
)

var errStopped = errors.New("stopped by the wrapper")

// TestWrapEveryFeature finds the field of Features that Wrap forgot: it sets each
// function there is, whatever its type, and sees whether a wrapper that lets
// nothing pass stops it.
func TestWrapEveryFeature(t *testing.T) {
	typ := reflect.TypeFor[driver.Features]()
	for i := range typ.NumField() {
		field := typ.Field(i)
		if field.Type.Kind() != reflect.Func || field.Name == "Now" { // that is no call to the store
			continue
		}
		t.Run(field.Name, func(t *testing.T) {
			reached := false
			b := driver.WithFeatures(mem.New(), func(f *driver.Features) {
				reflect.ValueOf(f).Elem().Field(i).Set(reflect.MakeFunc(field.Type, func([]reflect.Value) []reflect.Value {
					reached = true
					return results(field.Type)
				}))
			})
			var seen driver.Op
			stopped := driver.Wrap(b, func(_ context.Context, c *driver.Call, _ func(context.Context) error) error {
				seen = c.Op
				return errStopped
			})
			out := reflect.ValueOf(stopped.Features()).Field(i).Call(arguments(field.Type))
			err, _ := out[len(out)-1].Interface().(error)
			if reached || !errors.Is(err, errStopped) || seen == "" {
				t.Errorf("Features.%s goes past the wrapper: reached %t, error %v, op %q", field.Name, reached, err, seen)
			}

			open := driver.Wrap(b, func(ctx context.Context, _ *driver.Call, next func(context.Context) error) error { return next(ctx) })
			reflect.ValueOf(open.Features()).Field(i).Call(arguments(field.Type))
			if !reached {
				t.Errorf("Features.%s does not reach the bucket through a wrapper that lets all pass", field.Name)
			}

			without := driver.Wrap(driver.WithFeatures(mem.New(), func(f *driver.Features) { reflect.ValueOf(f).Elem().Field(i).SetZero() }), nil)
			if !reflect.ValueOf(without.Features()).Field(i).IsNil() {
				t.Errorf("Features.%s appears though the bucket does not offer it", field.Name)
			}
		})
	}
}

func arguments(f reflect.Type) []reflect.Value {
	args := []reflect.Value{reflect.ValueOf(context.Background())}
	for i := 1; i < f.NumIn(); i++ {
		args = append(args, reflect.Zero(f.In(i)))
	}
	return args
}

func results(f reflect.Type) (out []reflect.Value) {
	for i := range f.NumOut() {
		out = append(out, reflect.Zero(f.Out(i)))
	}
	return out
}

// TestWrapEveryMethod does the same for the methods of Bucket and Uploads.
func TestWrapEveryMethod(t *testing.T) {
	stopped := driver.Wrap(mem.New(), func(context.Context, *driver.Call, func(context.Context) error) error { return errStopped })
	uploads := stopped.Features().Uploads
	for _, v := range []reflect.Value{reflect.ValueOf(&stopped).Elem(), reflect.ValueOf(&uploads).Elem()} {
		for i := range v.Type().NumMethod() {
			name := v.Type().Method(i).Name
			if name == "Close" || name == "Features" {
				continue
			}
			m := v.Method(i)
			out := m.Call(arguments(m.Type()))
			if err, _ := out[len(out)-1].Interface().(error); !errors.Is(err, errStopped) {
				t.Errorf("%s goes past the wrapper: %v", name, err)
			}
			if len(out) == 2 && !out[0].IsZero() {
				t.Errorf("%s delivers %v beside an error", name, out[0])
			}
		}
	}
	without := driver.WithFeatures(mem.New(), func(f *driver.Features) { f.Uploads = nil })
	if driver.Wrap(without, nil).Features().Uploads != nil {
		t.Error("Features.Uploads appears though the bucket does not offer it")
	}
}

// TestWrapBodies checks that a wrapper may put other bodies in place, and that a
// reader is closed when a wrapper turns success into failure.
func TestWrapBodies(t *testing.T) {
	ctx := t.Context()
	closed := false
	b := driver.Wrap(mem.New(), func(ctx context.Context, c *driver.Call, next func(context.Context) error) error {
		if c.Body != nil {
			c.Body = io.NewSectionReader(c.Body, 1, 3)
		}
		if err := next(ctx); err != nil {
			return err
		}
		if c.Op == driver.OpOpen {
			inner := c.Reader.ReadCloser
			c.Reader.ReadCloser = struct {
				io.Reader
				io.Closer
			}{strings.NewReader("other"), closer(func() error { closed = true; return inner.Close() })}
		}
		if c.Key == "refused" {
			return errStopped
		}
		return nil
	})
	body := io.NewSectionReader(strings.NewReader("abcdef"), 0, 6)
	if obj, err := b.Put(ctx, "k", body, driver.WriteOptions{}); err != nil || obj.Size != 3 {
		t.Errorf("Put: %+v, %v", obj, err)
	}
	rd, err := b.Open(ctx, "k", driver.Range{}, driver.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := io.ReadAll(rd); string(got) != "other" {
		t.Errorf("read %q", got)
	}
	if err := rd.Close(); err != nil || !closed {
		t.Errorf("Close: %v, reached the bucket %t", err, closed)
	}
	closed = false
	if _, err := b.Put(ctx, "refused", body, driver.WriteOptions{}); !errors.Is(err, errStopped) {
		t.Errorf("Put: %v", err)
	}
	if rd, err := b.Open(ctx, "refused", driver.Range{}, driver.ReadOptions{}); rd != nil || !errors.Is(err, errStopped) || !closed {
		t.Errorf("Open: %v, %v, closed %t", rd, err, closed)
	}
}

type closer func() error

func (c closer) Close() error { return c() }

func TestWith(t *testing.T) {
	b := mem.New()
	without := driver.WithFeatures(b, func(f *driver.Features) { f.Copy = nil; f.Conds.Put = driver.NoCond })
	if f := without.Features(); f.Copy != nil || f.Conds.Put != driver.NoCond || f.Uploads == nil {
		t.Errorf("features %+v", f)
	}
	if b.Features().Copy == nil {
		t.Error("With changed the bucket itself")
	}
}
