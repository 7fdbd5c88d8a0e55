package azure

import (
	"context"
	"fmt"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/internal/cloud"
)

// settings asks for what the account, the container and the blob service tell by the
// requests that blobs are read and written with, not those of the resource manager.
func (b *Bucket) settings(ctx context.Context) ([]driver.BucketSetting, error) {
	var s cloud.Settings
	for _, ask := range []func(context.Context, *cloud.Settings) error{b.namespace, b.immutable, b.versions, b.softDelete} {
		if err := ask(ctx, &s); err != nil {
			return s, err
		}
	}
	return s, nil
}

// https://learn.microsoft.com/en-us/rest/api/storageservices/get-account-information
func (b *Bucket) namespace(ctx context.Context, s *cloud.Settings) error {
	const name = "hierarchical namespace"
	ctx, c := begin(ctx, driver.OpStat, "")
	out, err := b.client.GetAccountInfo(ctx, nil)
	if err != nil {
		return s.Refused(name, "a role on the container, or the account's key", c.fail(ctx, err))
	}
	s.OnOff(name, value(out.IsHierarchicalNamespaceEnabled), "keys are listed in another order than by name, and folders stay: use an account without one")
	s.Add("account", fmt.Sprintf("%s, %s", value(out.AccountKind), value(out.SKUName)), "")
	return nil
}

// https://learn.microsoft.com/en-us/rest/api/storageservices/get-container-properties
func (b *Bucket) immutable(ctx context.Context, s *cloud.Settings) error {
	const name = "immutability"
	ctx, c := begin(ctx, driver.OpStat, "")
	out, err := b.client.GetProperties(ctx, nil)
	if err != nil {
		return s.Refused(name, "Microsoft.Storage/storageAccounts/blobServices/containers/read", c.fail(ctx, err))
	}
	s.OnOff(name, value(out.HasImmutabilityPolicy) || value(out.HasLegalHold),
		"a policy or a legal hold of the container keeps tags from being replaced, and anything from being deleted: use a container without one")
	if access := value(out.BlobPublicAccess); access != "" {
		s.Add("public access", string(access), "anybody reads blobs without the registry: az storage container set-permission --public-access off")
	} else {
		s.OnOff("public access", false, "")
	}
	return nil
}

// versions looks whether a blob has a version, which it gets when it is written while
// versioning is on.
// https://learn.microsoft.com/en-us/azure/storage/blobs/versioning-overview
func (b *Bucket) versions(ctx context.Context, s *cloud.Settings) error {
	const name = driver.BlobVersioning
	ctx, c := begin(ctx, driver.OpList, "")
	page, err := b.client.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{
		Include: container.ListBlobsInclude{Versions: true}, MaxResults: to.Ptr(int32(1)), Prefix: to.Ptr(string(b.prefix)),
	}).NextPage(ctx)
	switch {
	case err != nil:
		return s.Refused(name, mayRead, c.fail(ctx, err))
	case page.Segment == nil || len(page.Segment.BlobItems) == 0:
		s.Add(name, "not known, as there is no blob", "")
	default:
		s.OnOff(name, value(page.Segment.BlobItems[0].VersionID) != "",
			"what is deleted and replaced stays, and is billed: a lifecycle rule that deletes previous versions, or an account without versioning")
	}
	return nil
}

// https://learn.microsoft.com/en-us/rest/api/storageservices/get-blob-service-properties
func (b *Bucket) softDelete(ctx context.Context, s *cloud.Settings) error {
	const name = driver.SoftDelete
	client, err := b.auth.service(b.endpoint + "/")
	if err != nil {
		return driver.NewError(driver.OpStat, "", errText(err))
	}
	ctx, c := begin(ctx, driver.OpStat, "")
	out, err := client.GetProperties(ctx, nil)
	if err != nil {
		return s.Refused(name, "Microsoft.Storage/storageAccounts/blobServices/read (role Reader), or the account's key", c.fail(ctx, err))
	}
	if p := out.DeleteRetentionPolicy; p != nil && value(p.Enabled) {
		s.Add(name, fmt.Sprintf("%d days", value(p.Days)), "what is deleted and replaced is billed for that long: az storage account blob-service-properties update --enable-delete-retention false")
	} else {
		s.OnOff(name, false, "")
	}
	return nil
}
