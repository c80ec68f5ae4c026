"""Volumes of vendors: known to the API, so that pods with them can be stored."""

from typing import Annotated

from appliance.api.kinds.core.references import LocalObjectReference
from appliance.api.schema import F, Int32, Message, always, nullable


class GCEPersistentDiskVolumeSource(Message):
    """A disk of Google's cloud."""

    pdName: Annotated[str, F(1, "Name of the disk.", required=True)] = always(str)
    fsType: Annotated[str, F(2, "Filesystem, such as ext4.")] = ""
    partition: Annotated[Int32, F(3, "Partition; 0 is the whole disk.")] = 0
    readOnly: Annotated[bool, F(4, "True: read-only.")] = False


class AWSElasticBlockStoreVolumeSource(Message):
    """A disk of Amazon's cloud."""

    volumeID: Annotated[str, F(1, "Id of the disk.", required=True)] = always(str)
    fsType: Annotated[str, F(2, "Filesystem, such as ext4.")] = ""
    partition: Annotated[Int32, F(3, "Partition; 0 is the whole disk.")] = 0
    readOnly: Annotated[bool, F(4, "True: read-only.")] = False


class GitRepoVolumeSource(Message):
    """A git repository; deprecated."""

    repository: Annotated[str, F(1, "URL of the repository.", required=True)] = always(str)
    revision: Annotated[str, F(2, "Commit to check out.")] = ""
    directory: Annotated[str, F(3, "Folder to check out into.")] = ""


class NFSVolumeSource(Message):
    """A folder of an NFS server."""

    server: Annotated[str, F(1, "Name or address of the server.", required=True)] = always(str)
    path: Annotated[str, F(2, "Folder that it exports.", required=True)] = always(str)
    readOnly: Annotated[bool, F(3, "True: read-only.")] = False


class ISCSIVolumeSource(Message):
    """A disk over iSCSI."""

    targetPortal: Annotated[
        str, F(1, "Address of the target, as host or host:port.", required=True)
    ] = always(str)
    iqn: Annotated[str, F(2, "Name of the target.", required=True)] = always(str)
    lun: Annotated[Int32, F(3, "Logical unit.", required=True)] = always(int)
    iscsiInterface: Annotated[str, F(4, "Interface to use.")] = ""
    fsType: Annotated[str, F(5, "Filesystem, such as ext4.")] = ""
    readOnly: Annotated[bool, F(6, "True: read-only.")] = False
    portals: Annotated[list[str], F(7, "Further addresses of the target.", list_type="atomic")] = []
    chapAuthDiscovery: Annotated[bool, F(8, "True: log in for discovery.")] = False
    chapAuthSession: Annotated[bool, F(11, "True: log in for the session.")] = False
    secretRef: Annotated[LocalObjectReference | None, F(10, "Secret with the login.")] = None
    initiatorName: Annotated[str | None, F(12, "Name of the initiator.")] = None


class GlusterfsVolumeSource(Message):
    """A volume of GlusterFS; no longer supported."""

    endpoints: Annotated[str, F(1, "Endpoints that name the servers.", required=True)] = always(str)
    path: Annotated[str, F(2, "Name of the volume.", required=True)] = always(str)
    readOnly: Annotated[bool, F(3, "True: read-only.")] = False


class RBDVolumeSource(Message):
    """A block device of Ceph; no longer supported."""

    monitors: Annotated[
        list[str], F(1, "Addresses of monitors.", required=True, list_type="atomic")
    ] = always(list)
    image: Annotated[str, F(2, "Name of the image.", required=True)] = always(str)
    fsType: Annotated[str, F(3, "Filesystem, such as ext4.")] = ""
    pool: Annotated[str, F(4, "Name of the pool.")] = ""
    user: Annotated[str, F(5, "Name of the user.")] = ""
    keyring: Annotated[str, F(6, "File with the key of the user.")] = ""
    secretRef: Annotated[LocalObjectReference | None, F(7, "Secret with the key of the user.")] = (
        None
    )
    readOnly: Annotated[bool, F(8, "True: read-only.")] = False


class FlexVolumeSource(Message):
    """A volume by a program on the node; deprecated."""

    driver: Annotated[str, F(1, "Name of the driver.", required=True)] = always(str)
    fsType: Annotated[str, F(2, "Filesystem, such as ext4.")] = ""
    secretRef: Annotated[LocalObjectReference | None, F(3, "Secret for the driver.")] = None
    readOnly: Annotated[bool, F(4, "True: read-only.")] = False
    options: Annotated[dict[str, str], F(5, "Further options for the driver.")] = {}


class CinderVolumeSource(Message):
    """A disk of OpenStack."""

    volumeID: Annotated[str, F(1, "Id of the disk.", required=True)] = always(str)
    fsType: Annotated[str, F(2, "Filesystem, such as ext4.")] = ""
    readOnly: Annotated[bool, F(3, "True: read-only.")] = False
    secretRef: Annotated[LocalObjectReference | None, F(4, "Secret with the login.")] = None


class CephFSVolumeSource(Message):
    """A CephFS mount; no longer supported."""

    monitors: Annotated[
        list[str], F(1, "Addresses of monitors.", required=True, list_type="atomic")
    ] = always(list)
    path: Annotated[str, F(2, "Folder to mount.")] = ""
    user: Annotated[str, F(3, "Name of the user.")] = ""
    secretFile: Annotated[str, F(4, "File with the key of the user.")] = ""
    secretRef: Annotated[LocalObjectReference | None, F(5, "Secret with the key of the user.")] = (
        None
    )
    readOnly: Annotated[bool, F(6, "True: read-only.")] = False


class FlockerVolumeSource(Message):
    """A volume of Flocker; no longer supported."""

    datasetName: Annotated[str, F(1, "Name of the dataset.")] = ""
    datasetUUID: Annotated[str, F(2, "UUID of the dataset.")] = ""


class FCVolumeSource(Message):
    """A disk over Fibre Channel."""

    targetWWNs: Annotated[list[str], F(1, "World-wide names of targets.", list_type="atomic")] = []
    lun: Annotated[Int32 | None, F(2, "Logical unit.")] = None
    fsType: Annotated[str, F(3, "Filesystem, such as ext4.")] = ""
    readOnly: Annotated[bool, F(4, "True: read-only.")] = False
    wwids: Annotated[
        list[str],
        F(5, "World-wide ids of the disk, instead of target and unit.", list_type="atomic"),
    ] = []


class AzureFileVolumeSource(Message):
    """A file share of Microsoft's cloud."""

    secretName: Annotated[str, F(1, "Secret with the login.", required=True)] = always(str)
    shareName: Annotated[str, F(2, "Name of the share.", required=True)] = always(str)
    readOnly: Annotated[bool, F(3, "True: read-only.")] = False


class VsphereVirtualDiskVolumeSource(Message):
    """A disk of vSphere."""

    volumePath: Annotated[str, F(1, "Path of the disk.", required=True)] = always(str)
    fsType: Annotated[str, F(2, "Filesystem, such as ext4.")] = ""
    storagePolicyName: Annotated[str, F(3, "Name of the storage policy.")] = ""
    storagePolicyID: Annotated[str, F(4, "Id of the storage policy.")] = ""


class QuobyteVolumeSource(Message):
    """A volume of Quobyte; no longer supported."""

    registry: Annotated[str, F(1, "Addresses of registries.", required=True)] = always(str)
    volume: Annotated[str, F(2, "Name of the volume.", required=True)] = always(str)
    readOnly: Annotated[bool, F(3, "True: read-only.")] = False
    user: Annotated[str, F(4, "User to act as.")] = ""
    group: Annotated[str, F(5, "Group to act as.")] = ""
    tenant: Annotated[str, F(6, "Tenant that owns the volume.")] = ""


class AzureDiskVolumeSource(Message):
    """A disk of Microsoft's cloud."""

    diskName: Annotated[str, F(1, "Name of the disk.", required=True)] = always(str)
    diskURI: Annotated[str, F(2, "URI of the disk.", required=True)] = always(str)
    cachingMode: Annotated[str | None, F(3, "None, ReadOnly or ReadWrite.")] = None
    fsType: Annotated[str | None, F(4, "Filesystem, such as ext4.")] = None
    readOnly: Annotated[bool | None, F(5, "True: read-only.")] = None
    kind: Annotated[str | None, F(6, "Shared, Dedicated or Managed.")] = None


class PhotonPersistentDiskVolumeSource(Message):
    """A disk of Photon; no longer supported."""

    pdID: Annotated[str, F(1, "Id of the disk.", required=True)] = always(str)
    fsType: Annotated[str, F(2, "Filesystem, such as ext4.")] = ""


class PortworxVolumeSource(Message):
    """A volume of Portworx."""

    volumeID: Annotated[str, F(1, "Id of the volume.", required=True)] = always(str)
    fsType: Annotated[str, F(2, "Filesystem, such as ext4.")] = ""
    readOnly: Annotated[bool, F(3, "True: read-only.")] = False


class ScaleIOVolumeSource(Message):
    """A volume of ScaleIO; no longer supported."""

    gateway: Annotated[str, F(1, "Address of the gateway.", required=True)] = always(str)
    system: Annotated[str, F(2, "Name of the system.", required=True)] = always(str)
    secretRef: Annotated[
        LocalObjectReference | None, F(3, "Secret with the login.", required=True)
    ] = nullable()
    sslEnabled: Annotated[bool, F(4, "True: use TLS.")] = False
    protectionDomain: Annotated[str, F(5, "Name of the protection domain.")] = ""
    storagePool: Annotated[str, F(6, "Name of the storage pool.")] = ""
    storageMode: Annotated[str, F(7, "ThickProvisioned or ThinProvisioned.")] = ""
    volumeName: Annotated[str, F(8, "Name of the volume.")] = ""
    fsType: Annotated[str, F(9, "Filesystem, such as xfs.")] = ""
    readOnly: Annotated[bool, F(10, "True: read-only.")] = False


class StorageOSVolumeSource(Message):
    """A volume of StorageOS; no longer supported."""

    volumeName: Annotated[str, F(1, "Name of the volume.")] = ""
    volumeNamespace: Annotated[str, F(2, "Namespace of the volume in StorageOS.")] = ""
    fsType: Annotated[str, F(3, "Filesystem, such as ext4.")] = ""
    readOnly: Annotated[bool, F(4, "True: read-only.")] = False
    secretRef: Annotated[LocalObjectReference | None, F(5, "Secret with the login.")] = None


class CSIVolumeSource(Message):
    """A volume by a CSI driver, for the life of the pod."""

    driver: Annotated[str, F(1, "Name of the driver.", required=True)] = always(str)
    readOnly: Annotated[bool | None, F(2, "True: read-only.")] = None
    fsType: Annotated[str | None, F(3, "Filesystem, such as ext4.")] = None
    volumeAttributes: Annotated[dict[str, str], F(4, "Further attributes for the driver.")] = {}
    nodePublishSecretRef: Annotated[LocalObjectReference | None, F(5, "Secret for the driver.")] = (
        None
    )
