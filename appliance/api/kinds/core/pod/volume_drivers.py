"""TODO."""

from typing import Annotated

from appliance.api.kinds.core.references import LocalObjectReference
from appliance.api.schema import F, Int32, Message, always, nullable


class GCEPersistentDiskVolumeSource(Message):
    """TODO."""

    pdName: Annotated[str, F(1, "", required=True)] = always(str)
    fsType: Annotated[str, F(2, "")] = ""
    partition: Annotated[Int32, F(3, "")] = 0
    readOnly: Annotated[bool, F(4, "")] = False


class AWSElasticBlockStoreVolumeSource(Message):
    """TODO."""

    volumeID: Annotated[str, F(1, "", required=True)] = always(str)
    fsType: Annotated[str, F(2, "")] = ""
    partition: Annotated[Int32, F(3, "")] = 0
    readOnly: Annotated[bool, F(4, "")] = False


class GitRepoVolumeSource(Message):
    """TODO."""

    repository: Annotated[str, F(1, "", required=True)] = always(str)
    revision: Annotated[str, F(2, "")] = ""
    directory: Annotated[str, F(3, "")] = ""


class NFSVolumeSource(Message):
    """TODO."""

    server: Annotated[str, F(1, "", required=True)] = always(str)
    path: Annotated[str, F(2, "", required=True)] = always(str)
    readOnly: Annotated[bool, F(3, "")] = False


class ISCSIVolumeSource(Message):
    """TODO."""

    targetPortal: Annotated[str, F(1, "", required=True)] = always(str)
    iqn: Annotated[str, F(2, "", required=True)] = always(str)
    lun: Annotated[Int32, F(3, "", required=True)] = always(int)
    iscsiInterface: Annotated[str, F(4, "")] = ""
    fsType: Annotated[str, F(5, "")] = ""
    readOnly: Annotated[bool, F(6, "")] = False
    portals: Annotated[list[str], F(7, "", list_type="atomic")] = []
    chapAuthDiscovery: Annotated[bool, F(8, "")] = False
    chapAuthSession: Annotated[bool, F(11, "")] = False
    secretRef: Annotated[LocalObjectReference | None, F(10, "")] = None
    initiatorName: Annotated[str | None, F(12, "")] = None


class GlusterfsVolumeSource(Message):
    """TODO."""

    endpoints: Annotated[str, F(1, "", required=True)] = always(str)
    path: Annotated[str, F(2, "", required=True)] = always(str)
    readOnly: Annotated[bool, F(3, "")] = False


class RBDVolumeSource(Message):
    """TODO."""

    monitors: Annotated[list[str], F(1, "", required=True, list_type="atomic")] = always(list)
    image: Annotated[str, F(2, "", required=True)] = always(str)
    fsType: Annotated[str, F(3, "")] = ""
    pool: Annotated[str, F(4, "")] = ""
    user: Annotated[str, F(5, "")] = ""
    keyring: Annotated[str, F(6, "")] = ""
    secretRef: Annotated[LocalObjectReference | None, F(7, "")] = None
    readOnly: Annotated[bool, F(8, "")] = False


class FlexVolumeSource(Message):
    """TODO."""

    driver: Annotated[str, F(1, "", required=True)] = always(str)
    fsType: Annotated[str, F(2, "")] = ""
    secretRef: Annotated[LocalObjectReference | None, F(3, "")] = None
    readOnly: Annotated[bool, F(4, "")] = False
    options: Annotated[dict[str, str], F(5, "")] = {}


class CinderVolumeSource(Message):
    """TODO."""

    volumeID: Annotated[str, F(1, "", required=True)] = always(str)
    fsType: Annotated[str, F(2, "")] = ""
    readOnly: Annotated[bool, F(3, "")] = False
    secretRef: Annotated[LocalObjectReference | None, F(4, "")] = None


class CephFSVolumeSource(Message):
    """TODO."""

    monitors: Annotated[list[str], F(1, "", required=True, list_type="atomic")] = always(list)
    path: Annotated[str, F(2, "")] = ""
    user: Annotated[str, F(3, "")] = ""
    secretFile: Annotated[str, F(4, "")] = ""
    secretRef: Annotated[LocalObjectReference | None, F(5, "")] = None
    readOnly: Annotated[bool, F(6, "")] = False


class FlockerVolumeSource(Message):
    """TODO."""

    datasetName: Annotated[str, F(1, "")] = ""
    datasetUUID: Annotated[str, F(2, "")] = ""


class FCVolumeSource(Message):
    """TODO."""

    targetWWNs: Annotated[list[str], F(1, "", list_type="atomic")] = []
    lun: Annotated[Int32 | None, F(2, "")] = None
    fsType: Annotated[str, F(3, "")] = ""
    readOnly: Annotated[bool, F(4, "")] = False
    wwids: Annotated[list[str], F(5, "", list_type="atomic")] = []


class AzureFileVolumeSource(Message):
    """TODO."""

    secretName: Annotated[str, F(1, "", required=True)] = always(str)
    shareName: Annotated[str, F(2, "", required=True)] = always(str)
    readOnly: Annotated[bool, F(3, "")] = False


class VsphereVirtualDiskVolumeSource(Message):
    """TODO."""

    volumePath: Annotated[str, F(1, "", required=True)] = always(str)
    fsType: Annotated[str, F(2, "")] = ""
    storagePolicyName: Annotated[str, F(3, "")] = ""
    storagePolicyID: Annotated[str, F(4, "")] = ""


class QuobyteVolumeSource(Message):
    """TODO."""

    registry: Annotated[str, F(1, "", required=True)] = always(str)
    volume: Annotated[str, F(2, "", required=True)] = always(str)
    readOnly: Annotated[bool, F(3, "")] = False
    user: Annotated[str, F(4, "")] = ""
    group: Annotated[str, F(5, "")] = ""
    tenant: Annotated[str, F(6, "")] = ""


class AzureDiskVolumeSource(Message):
    """TODO."""

    diskName: Annotated[str, F(1, "", required=True)] = always(str)
    diskURI: Annotated[str, F(2, "", required=True)] = always(str)
    cachingMode: Annotated[str | None, F(3, "")] = None
    fsType: Annotated[str | None, F(4, "")] = None
    readOnly: Annotated[bool | None, F(5, "")] = None
    kind: Annotated[str | None, F(6, "")] = None


class PhotonPersistentDiskVolumeSource(Message):
    """TODO."""

    pdID: Annotated[str, F(1, "", required=True)] = always(str)
    fsType: Annotated[str, F(2, "")] = ""


class PortworxVolumeSource(Message):
    """TODO."""

    volumeID: Annotated[str, F(1, "", required=True)] = always(str)
    fsType: Annotated[str, F(2, "")] = ""
    readOnly: Annotated[bool, F(3, "")] = False


class ScaleIOVolumeSource(Message):
    """TODO."""

    gateway: Annotated[str, F(1, "", required=True)] = always(str)
    system: Annotated[str, F(2, "", required=True)] = always(str)
    secretRef: Annotated[LocalObjectReference | None, F(3, "", required=True)] = nullable()
    sslEnabled: Annotated[bool, F(4, "")] = False
    protectionDomain: Annotated[str, F(5, "")] = ""
    storagePool: Annotated[str, F(6, "")] = ""
    storageMode: Annotated[str, F(7, "")] = ""
    volumeName: Annotated[str, F(8, "")] = ""
    fsType: Annotated[str, F(9, "")] = ""
    readOnly: Annotated[bool, F(10, "")] = False


class StorageOSVolumeSource(Message):
    """TODO."""

    volumeName: Annotated[str, F(1, "")] = ""
    volumeNamespace: Annotated[str, F(2, "")] = ""
    fsType: Annotated[str, F(3, "")] = ""
    readOnly: Annotated[bool, F(4, "")] = False
    secretRef: Annotated[LocalObjectReference | None, F(5, "")] = None


class CSIVolumeSource(Message):
    """TODO."""

    driver: Annotated[str, F(1, "", required=True)] = always(str)
    readOnly: Annotated[bool | None, F(2, "")] = None
    fsType: Annotated[str | None, F(3, "")] = None
    volumeAttributes: Annotated[dict[str, str], F(4, "")] = {}
    nodePublishSecretRef: Annotated[LocalObjectReference | None, F(5, "")] = None
