package emulator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/log"
)

// errNoEngine says that no Docker engine answers.
var errNoEngine = errors.New("no engine answers")

// ownerLabel carries the process that started a container. docker.sh removes
// what bears it before it stops an engine of its own.
const ownerLabel = "com.github.blobdock.emulator"

// dataDir is where a container keeps its data: in its own layer, which a
// restart keeps.
const dataDir = "/data"

// box runs a service in a container.
type box struct{ ctr testcontainers.Container }

func newContainer(ctx context.Context, svc service, p *port) (machine, error) {
	cli, err := engine(ctx)
	if err != nil {
		return nil, err
	}
	defer cli.Close()
	chooseReaper(ctx, cli)
	sweepContainers(ctx, cli)
	image, err := ensureImage(ctx, cli, svc)
	if err != nil {
		return nil, err
	}
	inside := fmt.Sprintf("%d/tcp", svc.port)
	ctr, err := testcontainers.GenericContainer(ctx, testcontainers.GenericContainerRequest{
		ContainerRequest: testcontainers.ContainerRequest{
			Image:        image,
			ExposedPorts: []string{inside},
			Env:          environMap(svc.env),
			Cmd:          svc.args(fmt.Sprintf(":%d", svc.port), dataDir),
			Labels:       map[string]string{ownerLabel: owner()},
			HostConfigModifier: func(h *container.HostConfig) {
				h.PortBindings = network.PortMap{network.MustParsePort(inside): {{
					HostIP:   netip.MustParseAddr("127.0.0.1"),
					HostPort: strconv.Itoa(p.number),
				}}}
			},
		},
		Logger: log.NewNoopLogger(),
	})
	b := &box{ctr: ctr}
	if err != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		return nil, errors.Join(fmt.Errorf("container: %w", err), b.remove(ctx))
	}
	return b, nil
}

// engine returns a client of a Docker engine that answers.
func engine(ctx context.Context) (*client.Client, error) {
	cli, err := client.New(client.FromEnv)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if _, err := cli.Ping(ctx, client.PingOptions{}); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", errNoEngine, err), cli.Close())
	}
	return cli, nil
}

// reaperImage is the image that testcontainers would pull.
const reaperImage = "testcontainers/ryuk:0.14.0"

// chooseReaper turns Ryuk off when its image isn't there: testcontainers would
// fail to pull it on every start. What it would have removed, sweepContainers
// does. The environment is read once, at testcontainers' first call.
func chooseReaper(ctx context.Context, cli *client.Client) {
	if _, err := cli.ImageInspect(ctx, reaperImage); err != nil {
		_ = os.Setenv("TESTCONTAINERS_RYUK_DISABLED", "true")
	}
}

// sweepContainers removes the containers of tests that were killed.
func sweepContainers(ctx context.Context, cli *client.Client) {
	list, err := cli.ContainerList(ctx, client.ContainerListOptions{
		All:     true,
		Filters: client.Filters{}.Add("label", ownerLabel),
	})
	if err != nil {
		return // creating ours will say what is wrong
	}
	for _, c := range list.Items {
		if gone(c.Labels[ownerLabel]) {
			_, _ = cli.ContainerRemove(ctx, c.ID, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
		}
	}
}

// ensureImage returns the service's image, built if the engine hasn't got it.
func ensureImage(ctx context.Context, cli *client.Client, svc service) (string, error) {
	// The engine runs linux, in a virtual machine where the host doesn't.
	v, err := cli.ServerVersion(ctx, client.ServerVersionOptions{})
	if err != nil {
		return "", err
	}
	tag, fill, err := imageContext(ctx, svc, platform{"linux", v.Arch})
	if err != nil {
		return "", err
	}
	repo := "blobdock/emulator-" + svc.name
	image := repo + ":" + tag
	if _, err := cli.ImageInspect(ctx, image); err == nil {
		return image, nil
	}
	dir, err := os.MkdirTemp("", "blobdock.image.")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	if err := fill(dir); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(svc.dockerfile), 0o644); err != nil {
		return "", err
	}
	provider, err := testcontainers.NewDockerProvider()
	if err != nil {
		return "", err
	}
	defer provider.Close()
	var out tail
	_, err = provider.BuildImage(ctx, &testcontainers.ContainerRequest{
		FromDockerfile: testcontainers.FromDockerfile{
			Context:        dir,
			Repo:           repo,
			Tag:            tag,
			KeepImage:      true,
			BuildLogWriter: &out,
		},
	})
	if err != nil {
		return "", fmt.Errorf("image %s: %w\n%s", image, err, &out)
	}
	return image, nil
}

// imageContext tells the key of what an image is made of, and how to fill the
// folder that it is built from.
func imageContext(ctx context.Context, svc service, p platform) (key string, fill func(dir string) error, err error) {
	if svc.context != nil {
		return svc.context(ctx)
	}
	bin, err := svc.build(ctx, p)
	return bin.key, func(dir string) error { return copyFile(filepath.Join(dir, svc.name), bin.path) }, err
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

func environMap(env []string) map[string]string {
	m := make(map[string]string, len(env))
	for _, kv := range env {
		k, v, _ := strings.Cut(kv, "=")
		m[k] = v
	}
	return m
}

func (b *box) String() string { return "Docker container" }

func (b *box) start(ctx context.Context) error {
	if err := b.ctr.Start(ctx); err != nil {
		if portTaken(err.Error()) {
			return fmt.Errorf("%w: %w", errPortTaken, err)
		}
		return fmt.Errorf("start container: %w", err)
	}
	return nil
}

func (b *box) alive(ctx context.Context) error {
	state, err := b.ctr.State(ctx)
	if err != nil {
		return err
	}
	if !state.Running {
		return fmt.Errorf("container ended by itself: %s, exit code %d", state.Status, state.ExitCode)
	}
	return nil
}

func (b *box) stop(ctx context.Context) error {
	now := time.Duration(0)
	return b.ctr.Stop(ctx, &now)
}

func (b *box) remove(ctx context.Context) error {
	return testcontainers.TerminateContainer(b.ctr, testcontainers.StopContext(ctx), testcontainers.StopTimeout(0))
}

func (b *box) log(ctx context.Context) string {
	r, err := b.ctr.Logs(ctx)
	if err != nil {
		return ""
	}
	defer r.Close()
	var t tail
	_, _ = io.Copy(&t, r)
	return t.String()
}
