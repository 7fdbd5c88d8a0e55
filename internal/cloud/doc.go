// Package cloud is what the drivers of stores in the cloud have in common: how a
// connection is made and given up, what became of a request, and how a body is
// sent and delivered. It knows no store; what a store's own codes and headers mean
// is for its driver to tell.
//
// One method call of a driver is one [Call]. [Begin] puts it into the context of
// the requests, [Transport] notes there how far they got, and [Call.Fail] makes an
// error of the contract of what the SDK reports.
package cloud
