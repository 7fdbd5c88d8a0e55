package registry

import (
	"context"

	"github.com/distribution/distribution/v3/registry"
	registrymiddleware "github.com/distribution/distribution/v3/registry/middleware/registry"
	storagedriver "github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/distribution/distribution/v3/registry/storage/driver/factory"
	"github.com/sirupsen/logrus"
)

func init() {
	factory.Register(Name, driverFactory{})
	if err := registrymiddleware.Register(Name, newMiddleware); err != nil {
		panic(err) // imported twice under different paths
	}
	registry.RegisterHandler(Handler)
	logrus.AddHook(quietUnknown{})
}

type driverFactory struct{}

// Create implements factory.StorageDriverFactory.
func (driverFactory) Create(ctx context.Context, section map[string]any) (storagedriver.StorageDriver, error) {
	c, err := ParseConfig(section)
	if err != nil {
		return nil, err
	}
	s, err := c.Open(ctx)
	if err != nil {
		return nil, err
	}
	return NewDriver(s), nil
}
