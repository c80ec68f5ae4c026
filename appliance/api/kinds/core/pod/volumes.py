"""Volumes: where the files come from that containers share."""

from typing import Annotated, ClassVar

from appliance.api.kinds.core.claim_spec import PersistentVolumeClaimTemplate
from appliance.api.kinds.core.pod.volume_drivers import (
    AWSElasticBlockStoreVolumeSource,
    AzureDiskVolumeSource,
    AzureFileVolumeSource,
    CephFSVolumeSource,
    CinderVolumeSource,
    CSIVolumeSource,
    FCVolumeSource,
    FlexVolumeSource,
    FlockerVolumeSource,
    GCEPersistentDiskVolumeSource,
    GitRepoVolumeSource,
    GlusterfsVolumeSource,
    ISCSIVolumeSource,
    NFSVolumeSource,
    PhotonPersistentDiskVolumeSource,
    PortworxVolumeSource,
    QuobyteVolumeSource,
    RBDVolumeSource,
    ScaleIOVolumeSource,
    StorageOSVolumeSource,
    VsphereVirtualDiskVolumeSource,
)
from appliance.api.kinds.core.references import (
    LocalObjectReference,
    ObjectFieldSelector,
    ResourceFieldSelector,
)
from appliance.api.meta import LabelSelector
from appliance.api.schema import F, Inline, Int32, Int64, Message, Quantity, always


class KeyToPath(Message):
    """A key that becomes a file."""

    key: Annotated[str, F(1, "Which key.", required=True)] = always(str)
    path: Annotated[
        str, F(2, "Name of the file; may have folders, but not `..`.", required=True)
    ] = always(str)
    mode: Annotated[Int32 | None, F(3, "Permission bits, from 0 to 0777.")] = None


class ConfigMapVolumeSource(LocalObjectReference):
    """A config map as files."""

    INLINE: ClassVar[Inline] = ((LocalObjectReference, 1),)
    items: Annotated[
        list[KeyToPath],
        F(2, "Keys to show, and under which names; all unless said.", list_type="atomic"),
    ] = []
    defaultMode: Annotated[Int32 | None, F(3, "Permission bits of files, from 0 to 0777.")] = None
    optional: Annotated[bool | None, F(4, "True: nothing is wrong if it is missing.")] = None


class DownwardAPIVolumeFile(Message):
    """Something about the pod that becomes a file."""

    path: Annotated[str, F(1, "Name of the file.", required=True)] = always(str)
    fieldRef: Annotated[ObjectFieldSelector | None, F(2, "A field of the pod.")] = None
    resourceFieldRef: Annotated[
        ResourceFieldSelector | None, F(3, "A request or a limit of a container.")
    ] = None
    mode: Annotated[Int32 | None, F(4, "Permission bits, from 0 to 0777.")] = None


class DownwardAPIVolumeSource(Message):
    """Facts about the pod as files."""

    items: Annotated[list[DownwardAPIVolumeFile], F(1, "The files.", list_type="atomic")] = []
    defaultMode: Annotated[Int32 | None, F(2, "Permission bits of files, from 0 to 0777.")] = None


class EmptyDirVolumeSource(Message):
    """An empty folder that lives as long as the pod."""

    medium: Annotated[str, F(1, "Memory for a tmpfs; else the node's disk.")] = ""
    sizeLimit: Annotated[Quantity | None, F(2, "The most it may hold.")] = None


class EphemeralVolumeSource(Message):
    """A claim that lives as long as the pod."""

    volumeClaimTemplate: Annotated[
        PersistentVolumeClaimTemplate | None, F(1, "What the claim is made from.")
    ] = None


class HostPathVolumeSource(Message):
    """A file or folder of the node."""

    path: Annotated[str, F(1, "Path on the node.", required=True)] = always(str)
    type: Annotated[
        str | None,
        F(
            2,
            "What must be there, such as Directory, or is made: DirectoryOrCreate.",
            enum=(
                "",
                "BlockDevice",
                "CharDevice",
                "Directory",
                "DirectoryOrCreate",
                "File",
                "FileOrCreate",
                "Socket",
            ),
        ),
    ] = None


class ImageVolumeSource(Message):
    """The files of an image."""

    reference: Annotated[str, F(1, "Name of the image.")] = ""
    pullPolicy: Annotated[
        str, F(2, "Always, IfNotPresent or Never.", enum=("Always", "IfNotPresent", "Never"))
    ] = ""


class PersistentVolumeClaimVolumeSource(Message):
    """A claim in the pod's namespace."""

    claimName: Annotated[str, F(1, "Name of the claim.", required=True)] = always(str)
    readOnly: Annotated[bool, F(2, "True: read-only in all containers.")] = False


class ClusterTrustBundleProjection(Message):
    """Trusted certificates as a file."""

    name: Annotated[str | None, F(1, "Name of one bundle.")] = None
    signerName: Annotated[str | None, F(2, "Signer whose bundles are joined.")] = None
    labelSelector: Annotated[
        LabelSelector | None, F(3, "Labels of the signer's bundles that are joined.")
    ] = None
    optional: Annotated[bool | None, F(5, "True: nothing is wrong if there is none.")] = None
    path: Annotated[str, F(4, "Name of the file.", required=True)] = always(str)


class ConfigMapProjection(LocalObjectReference):
    """A config map as files."""

    INLINE: ClassVar[Inline] = ((LocalObjectReference, 1),)
    items: Annotated[
        list[KeyToPath],
        F(2, "Keys to show, and under which names; all unless said.", list_type="atomic"),
    ] = []
    optional: Annotated[bool | None, F(4, "True: nothing is wrong if it is missing.")] = None


class DownwardAPIProjection(Message):
    """Facts about the pod as files."""

    items: Annotated[list[DownwardAPIVolumeFile], F(1, "The files.", list_type="atomic")] = []


class PodCertificateProjection(Message):
    """A certificate of the pod as files, renewed in time."""

    signerName: Annotated[str, F(1, "Who signs it.")] = ""
    keyType: Annotated[str, F(2, "Sort of key, such as ED25519 or ECDSAP256.")] = ""
    maxExpirationSeconds: Annotated[Int32 | None, F(3, "How long it may live at most.")] = None
    credentialBundlePath: Annotated[str, F(4, "File for key and certificates together.")] = ""
    keyPath: Annotated[str, F(5, "File for the key.")] = ""
    certificateChainPath: Annotated[str, F(6, "File for the certificates.")] = ""
    userAnnotations: Annotated[dict[str, str], F(7, "Further facts for the signer.")] = {}


class SecretProjection(LocalObjectReference):
    """A secret as files."""

    INLINE: ClassVar[Inline] = ((LocalObjectReference, 1),)
    items: Annotated[
        list[KeyToPath],
        F(2, "Keys to show, and under which names; all unless said.", list_type="atomic"),
    ] = []
    optional: Annotated[bool | None, F(4, "True: nothing is wrong if it is missing.")] = None


class ServiceAccountTokenProjection(Message):
    """A token of the pod's service account, renewed in time."""

    audience: Annotated[str, F(1, "Whom it is for; the API server unless said.")] = ""
    expirationSeconds: Annotated[Int64 | None, F(2, "How long it lives; at least 10 minutes.")] = (
        None
    )
    path: Annotated[str, F(3, "Name of the file.", required=True)] = always(str)


class VolumeProjection(Message):
    """One source of a projected volume: one of these."""

    secret: Annotated[SecretProjection | None, F(1, "A secret.")] = None
    downwardAPI: Annotated[DownwardAPIProjection | None, F(2, "Facts about the pod.")] = None
    configMap: Annotated[ConfigMapProjection | None, F(3, "A config map.")] = None
    serviceAccountToken: Annotated[ServiceAccountTokenProjection | None, F(4, "A token.")] = None
    clusterTrustBundle: Annotated[
        ClusterTrustBundleProjection | None, F(5, "Trusted certificates.")
    ] = None
    podCertificate: Annotated[
        PodCertificateProjection | None, F(6, "A certificate of the pod.")
    ] = None


class ProjectedVolumeSource(Message):
    """Several sources in one folder."""

    sources: Annotated[list[VolumeProjection], F(1, "The sources.", list_type="atomic")] = always(
        list
    )
    defaultMode: Annotated[Int32 | None, F(2, "Permission bits of files, from 0 to 0777.")] = None


class SecretVolumeSource(Message):
    """A secret as files, kept in memory."""

    secretName: Annotated[str, F(1, "Name of the secret.")] = ""
    items: Annotated[
        list[KeyToPath],
        F(2, "Keys to show, and under which names; all unless said.", list_type="atomic"),
    ] = []
    defaultMode: Annotated[Int32 | None, F(3, "Permission bits of files, from 0 to 0777.")] = None
    optional: Annotated[bool | None, F(4, "True: nothing is wrong if it is missing.")] = None


class VolumeSource(Message):
    """What a volume is made of: one of these."""

    hostPath: Annotated[HostPathVolumeSource | None, F(1, "A file or folder of the node.")] = None
    emptyDir: Annotated[
        EmptyDirVolumeSource | None, F(2, "An empty folder that lives as long as the pod.")
    ] = None
    gcePersistentDisk: Annotated[
        GCEPersistentDiskVolumeSource | None, F(3, "A disk of Google's cloud.")
    ] = None
    awsElasticBlockStore: Annotated[
        AWSElasticBlockStoreVolumeSource | None, F(4, "A disk of Amazon's cloud.")
    ] = None
    gitRepo: Annotated[GitRepoVolumeSource | None, F(5, "A git repository; deprecated.")] = None
    secret: Annotated[SecretVolumeSource | None, F(6, "A secret as files.")] = None
    nfs: Annotated[NFSVolumeSource | None, F(7, "A folder of an NFS server.")] = None
    iscsi: Annotated[ISCSIVolumeSource | None, F(8, "A disk over iSCSI.")] = None
    glusterfs: Annotated[
        GlusterfsVolumeSource | None, F(9, "A volume of GlusterFS; no longer supported.")
    ] = None
    persistentVolumeClaim: Annotated[
        PersistentVolumeClaimVolumeSource | None, F(10, "A claim in the pod's namespace.")
    ] = None
    rbd: Annotated[
        RBDVolumeSource | None, F(11, "A block device of Ceph; no longer supported.")
    ] = None
    flexVolume: Annotated[
        FlexVolumeSource | None, F(12, "A volume by a program on the node; deprecated.")
    ] = None
    cinder: Annotated[CinderVolumeSource | None, F(13, "A disk of OpenStack.")] = None
    cephfs: Annotated[CephFSVolumeSource | None, F(14, "A CephFS mount; no longer supported.")] = (
        None
    )
    flocker: Annotated[
        FlockerVolumeSource | None, F(15, "A volume of Flocker; no longer supported.")
    ] = None
    downwardAPI: Annotated[
        DownwardAPIVolumeSource | None, F(16, "Facts about the pod as files.")
    ] = None
    fc: Annotated[FCVolumeSource | None, F(17, "A disk over Fibre Channel.")] = None
    azureFile: Annotated[
        AzureFileVolumeSource | None, F(18, "A file share of Microsoft's cloud.")
    ] = None
    configMap: Annotated[ConfigMapVolumeSource | None, F(19, "A config map as files.")] = None
    vsphereVolume: Annotated[VsphereVirtualDiskVolumeSource | None, F(20, "A disk of vSphere.")] = (
        None
    )
    quobyte: Annotated[
        QuobyteVolumeSource | None, F(21, "A volume of Quobyte; no longer supported.")
    ] = None
    azureDisk: Annotated[AzureDiskVolumeSource | None, F(22, "A disk of Microsoft's cloud.")] = None
    photonPersistentDisk: Annotated[
        PhotonPersistentDiskVolumeSource | None, F(23, "A disk of Photon; no longer supported.")
    ] = None
    projected: Annotated[ProjectedVolumeSource | None, F(26, "Several sources in one folder.")] = (
        None
    )
    portworxVolume: Annotated[PortworxVolumeSource | None, F(24, "A volume of Portworx.")] = None
    scaleIO: Annotated[
        ScaleIOVolumeSource | None, F(25, "A volume of ScaleIO; no longer supported.")
    ] = None
    storageos: Annotated[
        StorageOSVolumeSource | None, F(27, "A volume of StorageOS; no longer supported.")
    ] = None
    csi: Annotated[
        CSIVolumeSource | None, F(28, "A volume by a CSI driver, for the life of the pod.")
    ] = None
    ephemeral: Annotated[
        EphemeralVolumeSource | None, F(29, "A claim that lives as long as the pod.")
    ] = None
    image: Annotated[ImageVolumeSource | None, F(30, "The files of an image.")] = None


class Volume(VolumeSource):
    """A volume that containers of a pod can mount."""

    INLINE: ClassVar[Inline] = ((VolumeSource, 2),)
    name: Annotated[str, F(1, "Name, unique in the pod.", required=True)] = always(str)
