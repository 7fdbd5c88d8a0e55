package emulator

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// readyTimeout bounds a start on a busy machine; an idle one takes about a second.
const readyTimeout = 90 * time.Second

// server is one running emulator and the port it keeps for life.
type server struct {
	svc      service
	way      string
	port     *port
	endpoint string
	machine  machine
}

// machine is what a server runs in: a process or a container.
type machine interface {
	start(ctx context.Context) error
	// alive is nil while it runs, else it says why it ended.
	alive(ctx context.Context) error
	// stop ends it at once, as a crash would; its data stays.
	stop(ctx context.Context) error
	// remove stops it and drops its data.
	remove(ctx context.Context) error
	// log returns the end of what it printed.
	log(ctx context.Context) string
	// String says what it is, for the line that tells which way was taken.
	String() string
}

func start(ctx context.Context, svc service, way string) (*server, error) {
	// Elsewhere than on Linux the port can't be held while the server starts,
	// so another process may take it: then try another.
	const attempts = 3
	var errs []error
	for range attempts {
		s, err := startOnce(ctx, svc, way)
		if err == nil {
			fmt.Fprintf(os.Stderr, "emulator: %s at %s (%s, %s)\n", svc.title, s.endpoint, s.machine, svc.version)
			return s, nil
		}
		errs = append(errs, err)
		if !errors.Is(err, errPortTaken) {
			break
		}
	}
	return nil, errors.Join(errs...)
}

func startOnce(ctx context.Context, svc service, way string) (_ *server, err error) {
	p, err := reserve()
	if err != nil {
		return nil, err
	}
	s := &server{svc: svc, way: way, port: p, endpoint: "http://" + p.addr()}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	switch way {
	case Docker:
		s.machine, err = newContainer(ctx, svc, p)
	default:
		s.machine, err = newProcess(ctx, svc, p)
	}
	if err != nil {
		return nil, err
	}
	return s, s.start(ctx)
}

// start returns when the server does real work.
func (s *server) start(ctx context.Context) error {
	if err := s.machine.start(ctx); err != nil {
		return err
	}
	return s.await(ctx)
}

func (s *server) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	for {
		err := s.poll(ctx)
		if err == nil {
			return nil
		}
		if dead := s.machine.alive(ctx); dead != nil && ctx.Err() == nil {
			return s.explain(ctx, dead)
		}
		select {
		case <-ctx.Done():
			return s.explain(context.WithoutCancel(ctx), fmt.Errorf("%s is not ready: %w", s.endpoint, err))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (s *server) poll(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return s.svc.ready(ctx, s.endpoint)
}

func (s *server) explain(ctx context.Context, err error) error {
	log := s.machine.log(ctx)
	if portTaken(log) {
		return fmt.Errorf("%w: %w", errPortTaken, err)
	}
	if log == "" {
		return err
	}
	return fmt.Errorf("%w; it printed:\n%s", err, log)
}

func (s *server) stop(ctx context.Context) error { return s.machine.stop(ctx) }

// close ends the server for good. It has a deadline of its own, because it
// runs when the test's context is over.
func (s *server) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var err error
	if s.machine != nil {
		err = s.machine.remove(ctx)
	}
	return errors.Join(err, s.port.release())
}
